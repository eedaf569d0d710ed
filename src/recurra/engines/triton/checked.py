"""A kernel that is used only where its numbers have been seen to be right.

At the first call of each size, dtype, layout (dense or packed, with resets or without) and kind of device, both passes
run on a few random sequences and are compared with the reference engine. If they differ or fail, the reference engine
runs in their place, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from recurra.compiler import Plan
from recurra.engines.protocol import HALF, Array, Call, Kernel, Result, Wishes
from recurra.engines.reference import ReferenceKernel
from recurra.engines.triton.kernel import TritonKernel
from recurra.errors import EngineError
from recurra.program import Sizes

_logger = logging.getLogger("recurra")

STEPS, BATCH = 4, 17  # of the test: two tiles of sequences
PACKED = (17, 17, 9, 1)  # sequences of each step of the test, where they are packed
PASSES = ("forward pass", "backward pass")
_PassResults: TypeAlias = "Sequence[tuple[str, Tensor]]"  # the results of a pass: names and tensors
_CLOSE = {"float32": 1e-4, "bfloat16": 4e-2, "float16": 1e-2}  # relative to the largest number


class CheckedKernel(Kernel):
    """A plan's Triton kernel, with the reference engine's behind it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._fast, self._sure = TritonKernel(plan), WidenedKernel(plan)
        self._verdicts: dict[tuple[object, ...], str] = {}

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences."""
        return self._kernel(call).forward(call, wishes)

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted."""
        return self._kernel(call).backward(call, result, wishes, arriving, last)

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """Return (rows, width) for each variable that is kept."""
        return self._fast.kept_shapes(leading, sizes, wishes)

    def _kernel(self, call: Call) -> Kernel:
        """The kernel that runs a call.

        Raises:
            EngineError: the call has arrays of numpy, which Triton does not take.
        """
        if not isinstance(call.x, Tensor):
            raise EngineError("the triton engine takes torch's tensors, not numpy's arrays")
        device, x = call.x.device, call.x
        kind = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        # packed rows and resets are kernels of their own, as Triton compiles them
        key = (call.sizes, x.dtype, kind, call.batch_sizes is None, call.reset is None)
        if key not in self._verdicts:
            if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
                return self._sure  # nothing can be compared while a graph is captured
            try:
                self._verdicts[key] = self._verdict(call, kind)
            except torch.OutOfMemoryError:
                _logger.warning(
                    "the triton engine could not be tested for %r on %s, as memory is short; the reference engine runs "
                    "this call", self.plan.program.name, kind,
                )  # fmt: skip
                return self._sure
        return self._sure if self._verdicts[key] else self._fast

    def _verdict(self, call: Call, kind: str) -> str:
        """The reason why the kernels are not used; empty if they are right."""
        name, dtype = self.plan.program.name, str(call.x.dtype).removeprefix("torch.")
        layout = ("dense" if call.batch_sizes is None else "packed") + ("" if call.reset is None else " with resets")
        reason = difference(self._fast, ReferenceKernel(self.plan), call)
        if reason:
            text = "the triton engine is not used for %r, %s in %s on %s, as %s; the reference engine runs"
            _logger.warning(text, name, layout, dtype, kind, reason)
        else:
            text = "the triton engine is right for %r, %s in %s on %s, in both passes"
            _logger.info(text, name, layout, dtype, kind)
        return reason


def difference(kernel: Kernel, sure: Kernel, call: Call) -> str:
    """The difference of a kernel's numbers from those of a kernel that is right, in words; empty if they are close.

    Args:
        kernel: the kernel to test.
        sure: a kernel that defines the results.
        call: a call whose sizes, dtype, device, layout and direction the test takes. Of its numbers the parameters are
            used, which are varied: some cells are only sound near values such as a positive time constant.

    Raises:
        torch.OutOfMemoryError: the GPU's memory is too short for the test.
    """
    program, dtype = kernel.plan.program, str(call.x.dtype).removeprefix("torch.")
    wishes = Wishes((True,) * len(program.sources), (True, *(v.kind == "real" for _, v in kernel.plan.traced)))
    try:
        with torch.no_grad():  # the first run launches, the second records a graph, and the third replays it
            small = [_small(call, kernel.plan, sure, seed) for seed in range(3)]
            found = [_both_passes(kernel, each, wishes) for each in small][-1]
            expected = _both_passes(sure, _exact(small[-1]), wishes)
            far = _far(found, expected, dict.fromkeys(PASSES, _CLOSE[dtype]))
            if far:
                far = _far(found, expected, _noise(sure, small, wishes, _CLOSE[dtype]))
    except torch.OutOfMemoryError:  # it says nothing of the kernels, and may be over at the next call
        raise
    except Exception as error:  # a driver or a compiler may raise anything
        lines = str(error).strip().splitlines()
        return f"its kernels fail: {type(error).__name__}: {lines[0] if lines else ''}"
    return far


def _noise(sure: Kernel, calls: Sequence[Call], wishes: Wishes, least: float) -> dict[str, float]:
    """The distance that a kernel may have, by pass: four times that of torch's operations in the call's own dtype.

    Where a cell has a threshold, or a norm of few units, rounding alone moves numbers far though they are right.
    """
    noise = dict.fromkeys(PASSES, least)
    for call in calls:
        rough, exact = _both_passes(sure, call, wishes), _both_passes(sure, _exact(call), wishes)
        for (name, mine), (_, other) in zip(rough, exact, strict=True):
            noise[name] = max(noise[name], 4 * _off(mine, other))
    return noise


def _exact(call: Call) -> Call:
    """The same call in float64."""
    return replace(
        call,
        x=call.x.double(),
        states=[state.double() for state in call.states],
        parameters=[parameter.double() for parameter in call.parameters],
        masks=[mask.double() for mask in call.masks],
    )


def _far(found: _PassResults, expected: _PassResults, close: dict[str, float]) -> str:
    """The first tensor that is further off than its pass may be, in words; empty if there is none."""
    for (name, mine), (_, other) in zip(found, expected, strict=True):
        off = _off(mine, other)
        if not off <= close[name]:
            return f"its {name} is off by {off:.1e} of the largest number"
    return ""


def _off(mine: Tensor, other: Tensor) -> float:
    """The distance of two tensors relative to the second one's largest number; NaN equals NaN alone."""
    if not other.numel():
        return 0.0
    scale = other.abs().max().clamp(min=1e-3)
    found = ((mine.double() - other) / scale).abs()
    is_same = (mine.isnan() & other.isnan()) | (mine.double() == other)
    return float(torch.where(is_same, 0.0, found).max())


def _small(call: Call, plan: Plan, sure: Kernel, seed: int) -> Call:
    """A short call of the same sizes on other numbers, which draws nothing from torch's own generators."""
    x, sizes = call.x, call.sizes
    numbers = torch.Generator().manual_seed(seed)

    def drawn(*shape: int, scale: float = 1.0) -> Tensor:
        values = (torch.rand(shape, generator=numbers) * 2 - 1) * scale
        return values.to(device=x.device, dtype=x.dtype)

    program = plan.program
    leading = (STEPS, BATCH) if call.batch_sizes is None else (sum(PACKED),)
    resets = (torch.rand(leading, generator=numbers) < 0.25).to(x.device)

    def varied(parameter: Tensor) -> Tensor:
        shape = tuple(parameter.shape)
        other = drawn(*shape, scale=max(shape[-2:-1] or (4,)) ** -0.5)
        is_usable = parameter.isfinite() & (parameter != 0)
        return torch.where(is_usable, parameter.detach() * (1 + 0.3 * drawn(*shape)), other)

    begun = Call(
        x=drawn(*leading, program.input.width(sizes)),
        batch_sizes=None if call.batch_sizes is None else list(PACKED),
        states=[x.new_zeros(BATCH, state.width(sizes)) for state in program.states],
        parameters=[varied(parameter) for parameter in call.parameters],
        sizes=sizes,
        masks=[torch.ones_like(drawn(*leading, mask.results[0].width(sizes))) for mask in program.masks],
        reset=None if call.reset is None else resets,
        reverse=call.reverse,
    )
    states = sure.forward(_exact(begun)).states  # as a cell makes them: a count of steps, say, is never negative
    return replace(begun, states=[state.to(x.dtype) for state in states])


def _both_passes(kernel: Kernel, call: Call, wishes: Wishes) -> list[tuple[str, Tensor]]:
    """All results of both passes, by what they are."""
    result = kernel.forward(call, wishes)
    traced = [value for value in result.traced.values() if value.is_floating_point()]
    arriving = [torch.ones_like(value) for value in (result.output, *traced)]
    gradients = kernel.backward(call, result, wishes, arriving, [torch.ones_like(state) for state in result.states])
    rows: list[Any] = [result.output, *result.states, *traced]
    return [(PASSES[0], value) for value in rows] + [(PASSES[1], value) for value in gradients]


class WidenedKernel(Kernel):
    """The reference engine's kernel, which computes half precision in float32 and rounds once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._kernel = ReferenceKernel(plan)

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences."""
        result, back = self._kernel.forward(_widened(call), wishes), _rounding(call)
        traced = {name: back(value) for name, value in result.traced.items()}
        kept = tuple(back(value.reshape(value.shape[0], -1)) for value in result.kept)
        return Result(back(result.output), tuple(back(state) for state in result.states), traced, kept)

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted."""
        wide, back = _widened(call), _rounding(call)
        to = wide.x.dtype
        given = Result(result.output.to(to), (), {}, tuple(value.to(to) for value in result.kept))
        gradients = [[None if g is None else g.to(to) for g in group] for group in (arriving, last)]
        found = self._kernel.backward(wide, given, wishes, *gradients)
        return [None if gradient is None else back(gradient) for gradient in found]


def _widened(call: Call) -> Call:
    """A call of half precision in float32; any other call as it is."""
    if str(call.x.dtype).removeprefix("torch.") not in HALF:
        return call
    return replace(
        call,
        x=call.x.float(),
        states=[state.float() for state in call.states],
        parameters=[parameter.float() for parameter in call.parameters],
        masks=[mask.float() for mask in call.masks],
    )


def _rounding(call: Call) -> Any:
    """A function that gives a tensor of real numbers the call's dtype."""
    dtype = call.x.dtype
    return lambda value: value.to(dtype) if value.is_floating_point() else value
