"""Records what recurrent layers compute for one sequence, and the gradient of a loss for each of these values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.look.seeing.layers import LayerRun, OneSequence, StepLayer, one_sequence
from recurra.look.seeing.step_arrays import GatePlace, StepArrays

Loss = Callable[[Any], Tensor]


@dataclass(frozen=True, eq=False)
class RecordedLayer:
    """A recurrent layer and what it computed for one sequence.

    Attributes:
        title: the layer as it prints itself.
        layer: the layer, step by step.
        sequence: the sequence.
        run: what was computed.
    """

    title: str
    layer: StepLayer
    sequence: OneSequence
    run: LayerRun

    def values(self) -> StepArrays:
        """The named values, each (steps, units)."""
        return StepArrays({place: _array(each) for place, each in self._tensors().items()}, "gates")

    def gradients(self, gradients: Mapping[Tensor, Tensor | None]) -> StepArrays:
        """The gradients of the named values, each (steps, units), from a table by tensor; zero where none arrives."""
        found = {}
        for place, tensors in self._tensors().items():
            given = (gradients.get(tensor) for tensor in tensors)
            rows = [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, given, strict=True)]
            if tensors[0].is_floating_point():
                found[place] = _array(rows)
        return StepArrays(found, "gradients")

    def tensors(self) -> Iterator[Tensor]:
        """Every value that a gradient can arrive at."""
        for steps in self._tensors().values():
            yield from (tensor for tensor in steps if tensor.requires_grad)

    def _tensors(self) -> dict[GatePlace, list[Tensor]]:
        return {(name, *place): steps for place, scan in self.run.scans.items() for name, steps in scan.values.items()}


def record_layer(
    module: nn.Module, sequence: int, x: Any, state: Any, reset: Tensor | None, *, is_differentiable: bool
) -> RecordedLayer:
    """Run a layer over one sequence of its input, step by step.

    Args:
        module: the layer.
        sequence: the sequence's number in the batch.
        x: the layer's input.
        state: the first states. Default zeros.
        reset: see ``Recurrent.forward``.
        is_differentiable: whether gradients of the values are wanted.
    """
    layer = StepLayer(module)
    chosen = one_sequence(layer, sequence, x, state, reset)
    with torch.set_grad_enabled(is_differentiable):
        if is_differentiable:
            states = [[_differentiable(each) for each in of_scan] for of_scan in chosen.states or layer.starts()]
            chosen = replace(chosen, x=_differentiable(chosen.x), states=states)
        run = layer(chosen.x, chosen.states, chosen.reset)
    title = " ".join(str(module).split())
    return RecordedLayer(title, layer, chosen, run)


def gradients_of(loss: Tensor, layers: Sequence[RecordedLayer]) -> dict[Tensor, Tensor | None]:
    """The gradient of a loss for every value of layers, by tensor.

    Raises:
        ValueError: the loss is not one number, or does not depend on the layers.
    """
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shown = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"the loss must be a tensor of one number; got {shown}")
    tensors = list({tensor: None for layer in layers for tensor in layer.tensors()})
    if not loss.requires_grad:
        raise ValueError("the loss does not depend on the layer's output: there are no gradients to show")
    found = torch.autograd.grad(loss.reshape(()), tensors, allow_unused=True)
    return dict(zip(tensors, found, strict=True))


@contextmanager
def recording(
    modules: Mapping[str, nn.Module], sequence: int = 0, *, is_differentiable: bool
) -> Iterator[dict[str, RecordedLayer]]:
    """Record the layers of a model while it runs; of several calls of a layer the last one counts.

    With gradients, what the layers compute step by step takes the place of their output and last states for that
    sequence, so that a loss of the model's output depends on the values that are recorded.

    Args:
        modules: the layers, by name.
        sequence: the sequence's number in the batch.
        is_differentiable: whether gradients of the values are wanted.
    """
    found: dict[str, RecordedLayer] = {}

    def hook_of(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], options: dict[str, Any], result: Any) -> Any:
            x, state, reset = _arguments(args, options)
            found[name] = record_layer(module, sequence, x, state, reset, is_differentiable=is_differentiable)
            return _replaced(found[name], x, sequence, result) if is_differentiable else None

        return hook

    handles = [module.register_forward_hook(hook_of(name), with_kwargs=True) for name, module in modules.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def differentiating(is_wanted: bool = True) -> Iterator[None]:
    """Let autograd record, even inside of a caller's ``torch.no_grad()`` or ``torch.inference_mode()``.

    Args:
        is_wanted: False leaves everything as it is. Default True.
    """
    if not is_wanted:
        yield
        return
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set a module to evaluation mode, and each of its parts back afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _arguments(args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, Any, Tensor | None]:
    """The input, the states and the resets of a layer's call."""
    x = args[0] if args else options.get("input", options.get("x"))
    state = args[1] if len(args) > 1 else options.get("hx", options.get("state"))
    return x, state, options.get("reset")


def _replaced(recorded: RecordedLayer, x: Any, sequence: int, result: tuple[Any, ...]) -> tuple[Any, ...]:
    """The result of a layer's call, with what was recorded in the place of one sequence's."""
    output, state, *rest = result
    places = tuple(zip(*recorded.sequence.places, strict=True))
    if isinstance(output, PackedSequence):
        output = output._replace(data=_with(output.data, places, recorded.run.output))
    else:
        output = _with(output, places, recorded.run.output)
    is_batched = isinstance(x, PackedSequence) or x.dim() == 3
    is_one, place = (
        len(recorded.layer.scans[0].program.states) == 1,
        (slice(None), sequence) if is_batched else (slice(None),),
    )
    states = []
    for number, value in enumerate([state] if is_one else state):
        own = iter([scan.last[number] for scan in recorded.run.scans.values()])
        levels = value if isinstance(value, tuple) else [value]  # a tuple has a tensor for each layer
        put = [_with(level, place, torch.cat([next(own) for _ in range(len(level))])) for level in levels]
        states.append(tuple(put) if isinstance(value, tuple) else put[0])
    return (output, states[0] if is_one else tuple(states), *rest)


def _with(value: Tensor, place: tuple[Any, ...], part: Tensor) -> Tensor:
    """A copy of a tensor with another part."""
    copy = value.clone()
    copy[place] = part.to(value.device, value.dtype)
    return copy


def _differentiable(value: Tensor) -> Tensor:
    return value if value.requires_grad else value.detach().requires_grad_()


def _array(steps: Sequence[Tensor]) -> np.ndarray:
    """Values of steps, (1, …) each, as (steps, units)."""
    return np.stack([step.detach().reshape(-1).numpy() for step in steps])
