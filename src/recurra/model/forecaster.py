"""The annotation of a forecaster: its recipe, and the check that it fits the networks.

The class of recipes is imported where one is made or met, as time series take time that other models do not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.model.members import sizes_of
from recurra.model.part import Part

if TYPE_CHECKING:
    from recurra.series.recipe import Recipe


def recipe_class() -> type:
    """The class of recipes."""
    from recurra.series.recipe import Recipe

    return Recipe


def problem(recipe: Recipe, root: Part) -> str | None:
    """The reason why a model cannot have the recipe; None where it can."""
    if root.kind != "Ensemble" or any(member.kind != "EncoderDecoder" for _, member in root.children):
        return "a forecaster needs an Ensemble of EncoderDecoders"
    if len(root.children) != recipe.members:
        return f"a forecaster of {recipe.members} members needs as many; it has {len(root.children)}"
    outside = set()
    for _, member in root.children:
        encoder, decoder = (sizes_of(part) for _, part in member.children)
        if encoder.takes_tokens or decoder.takes_tokens or encoder.batch_first:
            return "a forecaster's networks take features, time first"
        outside.add((encoder.input_size, decoder.input_size, decoder.output_size))
    if len(outside) > 1:
        return "a forecaster's networks must take and give the same numbers of features"
    outputs = outside.pop()[-1]
    if outputs != len(recipe.levels):
        return f"a forecaster of {len(recipe.levels)} levels needs networks of as many outputs; they have {outputs}"
    return None


def summary(recipe: Recipe) -> str:
    """The recipe in a few words."""
    return f"a forecaster of {recipe.horizon} steps ({recipe.frequency.name}), {recipe.members} networks"
