"""The annotation of an autoregressive forecaster: its recipe, and the check that it fits the network.

The class of recipes is imported where one is made or met, as time series take time that other models do not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.model.interface import leaves
from recurra.model.kinds import is_recurrent, role
from recurra.model.members import sizes_of
from recurra.model.part import Part
from recurra.model.recurrent_parts import directions

if TYPE_CHECKING:
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe


def recipe_class() -> type:
    """The class of recipes."""
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe

    return AutoregressiveRecipe


def problem(recipe: AutoregressiveRecipe, root: Part) -> str | None:
    """The reason why a model cannot have the recipe; None where it can."""
    if role(root) == "models":
        return f"an autoregressive forecaster needs one network, not the models of an {root.kind}"
    sizes = sizes_of(root)
    if sizes.takes_tokens or sizes.batch_first or sizes.is_cell:
        return "an autoregressive forecaster's network takes features, time first"
    if any(is_recurrent(part) and directions(part) != 1 for _, part in leaves(root)):
        return "an autoregressive forecaster's network reads forward in time alone"
    expected = recipe.inputs, recipe.distribution.outputs
    if (sizes.input_size, sizes.output_size) != expected:
        return (
            f"an autoregressive forecaster of this recipe needs a network from {expected[0]} features to {expected[1]}"
        )
    return None


def summary(recipe: AutoregressiveRecipe) -> str:
    """The recipe in a few words."""
    return f"an autoregressive forecaster of {recipe.horizon} steps ({recipe.frequency.name}, {recipe.likelihood})"
