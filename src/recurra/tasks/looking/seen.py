"""``SeenModel``: what was seen of a model's recurrent layers on one text or one series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.errors import RunError
from recurra.look.seeing.gates import LayerGates, gates_of, merged
from recurra.look.seeing.ranking import LEAST_STEPS, Units, units
from recurra.look.seeing.reach import Reach, gradient_reach

if TYPE_CHECKING:
    from torch import Tensor, nn

    from recurra.look.seeing.properties import Property
    from recurra.look.seeing.recording import RecordedLayer

REACH_STEPS = 100  # the most over which the gradient's reach is measured
EXACT_UNITS, SAMPLES = 128, 64  # units of a layer up to which it is exact; random vectors above that


@dataclass(frozen=True, eq=False)
class SeenModel:
    """What was seen of a model.

    Attributes:
        title: the model and what it read.
        kind: ``text`` or ``series``.
        gates: the layers over the steps that heat maps show, with gradients.
        whole: the layers over all steps that units are ranked by.
        ranked: the units by the properties that they follow; None where there are too few steps.
        reach: how far back the gradient reaches, for each layer.
        loss: what the gradients are of, in words.
        notes: what the reader must know.
        values: for a series the observed value at each step of `whole`; None for a text.
    """

    title: str
    kind: str
    gates: LayerGates
    whole: LayerGates
    ranked: Units | None
    reach: Reach
    loss: str
    notes: tuple[str, ...]
    values: Any = None

    @property
    def layers(self) -> int:
        """The number of layers."""
        return 1 + max(layer for layer, _ in self.gates.values.places)


def layers_of(module: nn.Module) -> dict[str, nn.Module]:
    """The recurrent layers of a model, by name.

    Raises:
        RunError: there are none.
    """
    from recurra.look.seeing.layers import is_layer

    found = {name: part for name, part in module.named_modules() if is_layer(part)}
    if not found:
        raise RunError("the model has no recurrent layers to look into")
    return found


def gates_of_layers(
    recorded: Sequence[RecordedLayer], labels: Sequence[str], title: str, loss: Tensor | None = None
) -> LayerGates:
    """The gates of recorded layers as those of one stack, with the gradients of a loss.

    Args:
        recorded: the layers, from the lowest one.
        labels: a text for each step.
        title: the name of all together.
        loss: the loss. Default: none, and no gradients.
    """
    from recurra.look.seeing.recording import gradients_of

    table = None if loss is None else gradients_of(loss, recorded)
    return merged([gates_of(each, labels, table) for each in recorded], title)


def reach_of(modules: Sequence[nn.Module], recorded: Sequence[RecordedLayer]) -> Reach:
    """How far back the gradient reaches in each layer, over the last steps of what it read.

    Args:
        modules: the layers, from the lowest one.
        recorded: what they read.
    """
    norms: dict[tuple[str, str], Any] = {}
    samples = SAMPLES if max(each.layer.scans[0].sizes.hidden for each in recorded) > EXACT_UNITS else None
    below = 0
    for module, each in zip(modules, recorded, strict=True):
        for layer in range(each.layer.layers):
            x = each.sequence.x.detach()[-REACH_STEPS:]
            name = f"layer {below + layer}"
            norms.update(gradient_reach({name: module}, x, layer=layer, samples=samples).norms)
        below += each.layer.layers
    return Reach(norms, "frobenius", samples)


def ranked_by(whole: LayerGates, properties: Sequence[Property], wanted: str | None) -> Units | None:
    """The units ranked by properties; None where the steps are too few.

    Args:
        whole: the layers.
        properties: the properties.
        wanted: the name of the only property that is asked for. Default: all.

    Raises:
        RunError: there is no such property, or nothing can be said of it here.
    """
    known = {each.name: each for each in properties}
    if wanted is not None and wanted not in known:
        raise RunError(f"--property must be one of {', '.join(known)}; got {wanted!r}")
    if whole.steps < LEAST_STEPS:
        if wanted is not None:
            raise RunError(f"{whole.steps} steps are too few to rank units: give {LEAST_STEPS} or more")
        return None
    found = units(whole, properties if wanted is None else [known[wanted]])
    if wanted is not None and wanted in found.left_out:
        raise RunError(f"nothing can be said of the property {wanted!r} here: {found.left_out[wanted]}")
    return found
