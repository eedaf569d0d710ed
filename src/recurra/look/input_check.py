"""``check(module, x)``: how recurrent layers read an input, and the mistakes that input, lengths and model suggest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.mistakes import address

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Suspicion:
    """A mistake that may have been made.

    Attributes:
        mistake: the name of its page; empty for an error that has none.
        text: what suggests it.
    """

    mistake: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} {address(self.mistake)}" if self.mistake else self.text


@dataclass(frozen=True)
class Inspection:
    """What ``check`` found; ``str()`` prints it.

    Attributes:
        readings: for each call of a recurrent module, how it reads its input.
        suspicions: the mistakes that may have been made.
    """

    readings: tuple[str, ...]
    suspicions: tuple[Suspicion, ...]

    def __str__(self) -> str:
        points = [str(each) for each in self.suspicions]
        points = points or ["no sign of a mistake; whether the dimensions are the ones you mean, only you can tell"]
        return "\n".join(map(_wrapped, [*self.readings, *(f"- {point}" for point in points)]))


def _wrapped(line: str) -> str:
    return textwrap.fill(line, 96, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True)
class _LayerCall:
    """A call of a recurrent layer, with the lengths of its sequences where they are known."""

    name: str
    layer: Any
    x: Any
    state: Any
    lengths: list[int] | None

    @property
    def is_dense(self) -> bool:
        """Whether the input is one tensor, and not packed."""
        return not isinstance(self.x, tuple)

    @property
    def steps_and_batch(self) -> tuple[int, int]:
        """seq_len and batch of a dense input of 3 dimensions."""
        steps, batch = self.x.shape[:2]
        return (batch, steps) if self.layer.batch_first else (steps, batch)


def check_input(
    module: nn.Module, x: Any, state: Any = None, lengths: Tensor | Sequence[int] | None = None
) -> Inspection:
    """Check that a layer or model is fed as meant; the arguments are those of ``recurra.check``."""
    numbers = None if lengths is None else [int(length) for length in lengths]
    calls, error = _run(module, x, state, numbers)
    found = list(_of_model(module, x, numbers))
    for call in calls:
        found += _of_call(call)
    if error is not None:
        found.insert(0, error)
    readings = [_reading(call) for call in calls]
    if not readings and error is None:
        readings = [f"{type(module).__name__} has run no layer of recurra.nn or torch.nn"]
    return Inspection(tuple(readings), tuple(dict.fromkeys(found)))


def _run(module: nn.Module, x: Any, state: Any, lengths: list[int] | None) -> tuple[list[_LayerCall], Suspicion | None]:
    """The calls of recurrent layers in a run of a copy of the module, and the error that ended it."""
    import copy

    import torch

    from recurra.nn import Recurrent, accelerate

    # torch.nn's layers run on recurra, whose messages name the dimensions.
    copied, calls = accelerate(copy.deepcopy(module)), []
    for name, part in copied.named_modules():
        if isinstance(part, (Recurrent, torch.nn.RNNBase)):
            part.register_forward_pre_hook(
                lambda layer, args, kwargs, name=name: calls.append(_call(name, layer, args, kwargs, lengths)),
                with_kwargs=True,
            )
    arguments = (x,) if state is None else (x, state)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            copied(*arguments)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            return calls, _failure(error)
    return calls, None


def _failure(error: Exception) -> Suspicion:
    """The error that ended a run; the address at its end names the mistake."""
    text, _, end = " ".join(str(error).split()).partition(" (recurra explain --mistake ")
    mistake = "output-tuple" if text.endswith("must be Tensor, not tuple") else end.removesuffix(")")
    return Suspicion(mistake, f"the call fails: {type(error).__name__}: {text}")


def _call(
    name: str, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], lengths: list[int] | None
) -> _LayerCall:
    given = [*args, *kwargs.values()]
    return _LayerCall(name, layer, given[0], given[1] if len(given) > 1 else None, lengths)


def _reading(call: _LayerCall) -> str:
    """How a layer reads its input, in one line."""
    where = f"{call.name}: " if call.name else ""
    layer = f"{where}{type(call.layer).__name__}({call.layer.extra_repr()})"
    if not call.is_dense:
        sizes = getattr(call.x, "batch_sizes", None)
        if sizes is None:
            return f"{layer} gets a {type(call.x).__name__}"
        return f"{layer} reads a packed batch of {int(sizes[0])} sequences, the longest of {len(sizes)} steps"
    shape = tuple(getattr(call.x, "shape", ()))
    if len(shape) == 2:
        return f"{layer} reads {shape} as one sequence without a batch: seq_len={shape[0]}, input_size={shape[1]}"
    if len(shape) != 3:
        return f"{layer} gets {shape or type(call.x).__name__}"
    steps, batch = call.steps_and_batch
    return f"{layer} reads {shape} as seq_len={steps}, batch={batch}, input_size={shape[2]}"


def _of_call(call: _LayerCall) -> Iterator[Suspicion]:
    """The mistakes that one call suggests."""
    import torch

    given = call.state if isinstance(call.state, (tuple, list)) else [call.state]
    if any(isinstance(each, torch.Tensor) and each.grad_fn is not None for each in given):
        text = "the state carries the graph of earlier calls; the backward pass goes through them too, unless detached"
        yield Suspicion("states-not-detached", text)
    if not call.is_dense or not isinstance(call.x, torch.Tensor):
        return
    if call.x.dim() == 2:
        text = f"{tuple(call.x.shape)} has no batch dimension: it is read as one sequence"
        yield Suspicion("input-dimensions", text)
    elif call.x.dim() == 3:
        yield from _of_batch(call)


def _of_batch(call: _LayerCall) -> Iterator[Suspicion]:
    """The mistakes that a dense batch suggests."""
    steps, batch = call.steps_and_batch
    if call.lengths is None:
        if steps == 1 and batch > 1 and call.state is None:
            text = f"one step of {batch} sequences: every sequence ends where it begins"
            yield Suspicion("batch-and-time-swapped", text)
        padded = _zero_ends(call)
        if padded:
            rows = ", ".join(map(str, padded[:3])) + (" …" if len(padded) > 3 else "")
            text = f"sequences {rows} end in steps of zeros; if these are padding, output[-1] and h_n are behind it"
            yield Suspicion("last-step-of-padding", text)
        return
    lengths, batch_first = call.lengths, call.layer.batch_first
    if len(lengths) != batch:
        hint = f", as many as seq_len={steps}" if len(lengths) == steps else ""
        yield Suspicion("batch-and-time-swapped", f"{len(lengths)} lengths for batch={batch}{hint}")
    elif max(lengths) > steps:
        hint = f"; batch_first={not batch_first} would read {batch} steps" if max(lengths) <= batch else ""
        yield Suspicion("batch-and-time-swapped", f"a length of {max(lengths)} is beyond seq_len={steps}{hint}")
    elif min(lengths) < steps:
        last = "output[:, -1]" if batch_first else "output[-1]"
        count = sum(length < steps for length in lengths)
        text = f"{count} of {batch} sequences end before step {steps}: {last} and h_n are those of the padding"
        yield Suspicion("last-step-of-padding", text)
        if call.layer.bidirectional:
            yield Suspicion("backward-over-padding", "the backward direction begins in the padding")


def _zero_ends(call: _LayerCall) -> list[int]:
    """The sequences whose last step is all zeros, if others have none; one of another kind shows that zeros pad."""
    x = call.x.detach() if call.layer.batch_first else call.x.detach().transpose(0, 1)
    if x.shape[1] < 2 or x.shape[0] < 2 or x.shape[2] < 2:
        return []
    ends = (x[:, -1] == 0).all(-1) & (x[:, 0] != 0).any(-1)
    return [] if bool(ends.all()) else [int(row) for row in ends.nonzero().flatten()]


def _of_model(module: nn.Module, x: Any, lengths: list[int] | None) -> Iterator[Suspicion]:
    """The mistakes that a model's parts and settings suggest."""
    import torch
    from torch import nn

    drawn = [part for part in module.modules() if getattr(part, "dropout", 0) or isinstance(part, nn.Dropout)]
    if drawn and module.training and not torch.is_grad_enabled():
        text = (
            "the model is in training mode without gradients: if this is inference, model.eval() switches dropout off"
        )
        yield Suspicion("eval-forgotten", text)
    tables = [part for part in module.modules() if isinstance(part, nn.Embedding) and part.padding_idx is None]
    if tables and lengths is not None and len(set(lengths)) > 1:
        text = "the embedding has no padding_idx: the vector of the padding is trained like that of a token"
        yield Suspicion("embedding-without-padding-index", text)
    *_, last = module.modules()
    if isinstance(last, nn.Softmax) and module.training:
        text = "the model ends in a Softmax: CrossEntropyLoss takes the numbers before it"
        yield Suspicion("softmax-before-cross-entropy", text)
