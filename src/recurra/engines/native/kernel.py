"""The native kernel of a plan: its forward pass, and the backward pass derived from it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import recurra._native as _native
from recurra.compiler import Plan
from recurra.engines.native.arrays import (
    address,
    batch_words,
    check_dtype,
    contiguous_blocks,
    contiguous_features,
    is_double,
    is_numpy,
    matrix_words,
    rows_words,
)
from recurra.engines.native.build import Built, build
from recurra.engines.native.steps import NativeRun
from recurra.engines.native.torch_calls import reads_tensors, scan_of
from recurra.engines.passes import CallPasses
from recurra.engines.protocol import Array, Call, DType, Kernel, Passes, Result, Wishes
from recurra.engines.saved import Backward, derive
from recurra.errors import EngineError
from recurra.program import Products, Sizes, Variable


def threads() -> int:
    """The number of threads that a call may use: torch's setting if torch is loaded, else OMP_NUM_THREADS, else all."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    setting = re.match(r"\s*0*([1-9][0-9]*)\s*(,|$)", os.environ.get("OMP_NUM_THREADS", ""), re.ASCII)
    return int(setting[1]) if setting else _native.hardware_threads()  # OpenMP allows a list; its first number counts


class NativeKernel(Kernel):
    """A plan as native code, which is built at its first use for each set of sizes and dtype.

    Attributes:
        plan: the plan.
        products: the operands of products.
    """

    def __init__(self, plan: Plan, products: Products = "float32") -> None:
        self.plan, self.products = plan, products
        self._shapes: dict[object, list[tuple[int, ...]]] = {}  # of the parameters
        self._forward: dict[object, Built] = {}
        self._backward: dict[object, Built] = {}
        self._scans: dict[object, _native.TensorScan] = {}

    # ---- code ----

    def code(self, sizes: Sizes, double: bool) -> _native.Kernel:
        """The forward pass that keeps nothing, at these sizes."""
        return self.built_forward(sizes, double, ()).kernel

    def built_forward(self, sizes: Sizes, double: bool, kept: tuple[Variable, ...]) -> Built:
        """The forward pass that keeps these variables, at these sizes."""
        key = (sizes, double, kept)
        built = self._forward.get(key)
        if built is None:
            built = self._forward.setdefault(
                key, build(self.plan.schedule.giving(kept), sizes, double, None, self.products)
            )
        return built

    def backward_of(self, wishes: Wishes) -> Backward:
        """The derived backward pass for these wishes.

        Raises:
            EngineError: products are of whole numbers, whose rounding has no gradients.
        """
        if self.products in ("int8", "uint8"):
            raise EngineError(
                f"{self.plan.program.name!r} computes in {self.products}, which has no gradients: call it under "
                'torch.no_grad(), or train it with compute="float32"'
            )
        return derive(self.plan, wishes)

    def built_backward(self, sizes: Sizes, double: bool, backward: Backward) -> Built:
        """The native code of a backward pass, at these sizes."""
        key = (sizes, double, backward)
        built = self._backward.get(key)
        if built is None:
            entering = {state: number for number, (state, _) in enumerate(backward.entering)}
            built = self._backward.setdefault(key, build(backward.schedule, sizes, double, entering, self.products))
        return built

    # ---- forward ----

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences; with ``wishes``, the result keeps what the backward pass needs."""
        check_dtype(call.x.dtype, (*call.states, *call.masks, *call.parameters))
        if not is_numpy(call.x):
            return self._forward_on_tensors(call, wishes)
        kept = () if wishes is None else self.backward_of(wishes).kept
        if call.packed is None:
            self._check(call.parameters, call.sizes)
        built = self.built_forward(call.sizes, is_double(call.x), kept)
        x = call.x
        outputs = [np.empty((*x.shape[:-1], width), x.dtype) for width in built.output_widths]
        last = [np.empty(state.shape, x.dtype) for state in call.states]
        words, alive = _forward_words(call, outputs, last)
        built.kernel.run(words, call.packed if wishes is None else None)  # type: ignore[arg-type]
        del alive
        traced = self._traced(outputs[1:])
        count = len(outputs) - len(kept)
        return Result(outputs[0], tuple(last), traced, tuple(outputs[count:]))

    def repeated(self, call: Call, into: Result) -> Callable[[], None]:
        """Return a function that runs a call again and again; its words are put together once."""
        x, given = call.x, (call.x, *call.states, *call.masks, into.output, *into.states)
        check_dtype(x.dtype, (*given, *call.parameters))
        if any(contiguous_features(array) is not array for array in given):
            raise ValueError("a call that is repeated needs arrays whose features are contiguous")
        if call.packed is None:
            self._check(call.parameters, call.sizes)
        built = self.built_forward(call.sizes, is_double(x), ())
        traced = [np.empty((*x.shape[:-1], width), x.dtype) for width in built.output_widths[1:]]
        words, alive = _forward_words(call, [into.output, *traced], into.states)
        if call.packed is None:
            return _Repeated(built.kernel, words, (given, traced, alive))
        step = _native.kernel_step(built.kernel, words, call.packed)  # type: ignore[arg-type]
        return NativeRun(step, (given, traced, alive))

    def _traced(self, values: Sequence[Array]) -> dict[str, Array]:
        """The traced variables by name. Native code computes bools as zeros and ones; these become bools again."""
        pairs = zip(self.plan.traced, values, strict=False)
        return {name: value != 0 if variable.kind == "bool" else value for (name, variable), value in pairs}

    def pack(self, parameters: Sequence[Array], sizes: Sizes, dtype: DType) -> object:
        """Pack the weights into the matrices of the kernel."""
        arrays = [each if is_numpy(each) else each.detach().numpy() for each in parameters]
        for array in arrays:
            if array.dtype.name != dtype:
                raise ValueError(f"the weights must be {dtype}; one is {array.dtype}")
        self._check(arrays, sizes)
        words: list[int] = []
        held = [contiguous_blocks(array) for array in arrays]
        for parameter in held:
            words += matrix_words(parameter)
        return self.code(sizes, dtype == "float64").prepare(words)

    def _check(self, parameters: Sequence[Array], sizes: Sizes) -> None:
        """Raise ValueError if a parameter does not have the shape that the code assumes."""
        variables, key = self.plan.program.parameters, sizes
        if key not in self._shapes:
            self._shapes[key] = [tuple(size.value(sizes) for size in variable.shape) for variable in variables]
        for variable, shape, parameter in zip(variables, self._shapes[key], parameters, strict=True):
            if tuple(parameter.shape) != shape:
                raise ValueError(f"parameter {variable.name} must have shape {shape}; got {tuple(parameter.shape)}")

    # ---- backward ----

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """Return the shape for tensors: one array holds all that is kept, variable after variable."""
        count = 1
        for size in leading:
            count = count * size
        return [(count * sum(variable.width(sizes) for variable in self.backward_of(wishes).kept),)]

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted."""
        if not is_numpy(call.x):
            return self._backward_on_tensors(call, result, wishes, arriving, last)
        x, backward = call.x, self.backward_of(wishes)
        widths = self._given_widths(call.sizes, wishes)
        arrived = [
            np.zeros((*x.shape[:-1], width), x.dtype) if value is None else value
            for value, width in zip(arriving, widths, strict=True)
        ]
        check_dtype(x.dtype, (*call.states, *call.masks, *call.parameters, result.output, *result.kept, *arrived))
        check_dtype(x.dtype, [gradient for gradient in last if gradient is not None])
        self._check(call.parameters, call.sizes)
        built = self.built_backward(call.sizes, is_double(x), backward)
        rows = [contiguous_features(row) for row in _rows_of(backward, call, result, arrived)]
        outputs = [np.empty((*x.shape[:-1], width), x.dtype) for width in built.output_widths]
        results = [np.empty(shape, x.dtype) for shape in built.result_shapes]
        words, alive = _head(call, not call.reverse)
        constants = [contiguous_blocks(call.parameters[number]) for number in backward.constants]
        for constant in constants:
            words += matrix_words(constant)
        for value in (*rows, *outputs):
            words += rows_words(value)
        states: list[Array | None] = [None] * len(call.states)
        held = []
        for number in backward.carried:
            found = states[number] = np.empty(call.states[number].shape, x.dtype)
            first = last[number]
            if first is None:
                words += (0, 0)
            else:
                first = contiguous_features(first)
                held.append(first)
                words += batch_words(first)
            words += batch_words(found)
        beginning = [contiguous_features(call.states[number]) for _, number in backward.entering]
        words.append(len(beginning))
        for value in beginning:
            words += batch_words(value)
        words += [address(value) for value in results]
        built.kernel.run(words, None)
        del alive, held
        parameters = [None if number < 0 else results[number] for number in backward.results]
        return [outputs[0] if backward.has_input else None, *states, *_own(parameters)]

    def _given_widths(self, sizes: Sizes, wishes: Wishes) -> list[int]:
        """Features of the variables whose gradients may arrive."""
        offered = (self.plan.program.output, *(variable for _, variable in self.plan.traced))
        return [v.width(sizes) for v, may_arrive in zip(offered, wishes.given, strict=True) if may_arrive]

    # ---- torch's tensors ----

    def passes(self, sizes: Sizes, dtype: DType, reverse: bool, wishes: Wishes, layer_states: bool) -> Passes:
        """Return both passes on tensors at these sizes."""
        if not reads_tensors(sys.modules["torch"]):
            return CallPasses(self, sizes, reverse, wishes, layer_states)
        return self._scan(sizes, dtype == "float64", reverse, layer_states, wishes)

    def _scan(
        self, sizes: Sizes, double: bool, reverse: bool, layer_states: bool, wishes: Wishes | None
    ) -> _native.TensorScan:
        key = (sizes, double, reverse, layer_states, wishes)
        found = self._scans.get(key)
        if found is None:
            scan = scan_of(self, sizes, double, reverse, layer_states, wishes)
            found = self._scans.setdefault(key, scan)
        return found

    def _forward_on_tensors(self, call: Call, wishes: Wishes | None) -> Result:
        if not reads_tensors(sys.modules["torch"]):
            return _tensors(self.forward(_as_numpy(call), wishes))
        scan = self._scan(call.sizes, is_double(call.x), call.reverse, False, wishes)
        others, sizes = (*call.states, *call.parameters), _sizes_tensor(call.batch_sizes)
        packed: Any = call.packed if wishes is None else None
        kept, output, *rest = scan.forward(call.x, others, call.masks, sizes, call.reset, threads(), packed)
        count = len(call.states)
        return Result(output, tuple(rest[:count]), self._traced(rest[count:]), () if kept is None else (kept,))

    def _backward_on_tensors(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        if not reads_tensors(sys.modules["torch"]):
            gradients = [None if g is None else g.detach().numpy() for g in (*arriving, *last)]
            kept = tuple(value.numpy() for value in result.kept)
            given = Result(result.output.detach().numpy(), (), {}, kept)
            count = len(arriving)
            found = self.backward(_as_numpy(call), given, wishes, gradients[:count], gradients[count:])
            return [None if value is None else sys.modules["torch"].from_numpy(value) for value in found]
        scan = self._scan(call.sizes, is_double(call.x), call.reverse, False, wishes)
        arrived = iter(arriving)
        output, *traced = [next(arrived) if may_arrive else None for may_arrive in wishes.given]
        saved = (call.x, *call.states, *call.parameters, result.output, *result.kept, *call.masks)
        sizes = _sizes_tensor(call.batch_sizes)
        return scan.backward(wishes.wanted, saved, (output, *last, *traced), sizes, call.reset, threads())


@dataclass(frozen=True, eq=False)
class _Repeated:
    """A call whose words are put together; ``alive`` are the arrays that they point to."""

    kernel: _native.Kernel
    words: list[int]
    alive: object

    def __call__(self) -> None:
        self.kernel.run(self.words, None)


def _sizes_tensor(batch_sizes: Sequence[int] | Array | None) -> Any:
    """Batch sizes as a tensor."""
    return None if batch_sizes is None else sys.modules["torch"].as_tensor(batch_sizes)


def _as_numpy(call: Call) -> Call:
    """A call on tensors as a call on numpy's arrays, over the same memory."""

    def arrays(tensors: Sequence[Any]) -> list[Array]:
        return [tensor.detach().numpy() for tensor in tensors]

    return replace(
        call,
        x=call.x.detach().numpy(),
        states=arrays(call.states),
        parameters=arrays(call.parameters),
        masks=arrays(call.masks),
        reset=None if call.reset is None else call.reset.numpy(),
    )


def _tensors(result: Result) -> Result:
    """A result of numpy's arrays as a result of tensors, over the same memory."""
    from_numpy = sys.modules["torch"].from_numpy
    return Result(
        from_numpy(result.output),
        tuple(map(from_numpy, result.states)),
        {name: from_numpy(value) for name, value in result.traced.items()},
        tuple(map(from_numpy, result.kept)),
    )


def _rows_of(backward: Backward, call: Call, result: Result, arriving: Sequence[Array]) -> list[Array]:
    """The arrays of all row variables that a backward pass reads."""
    groups = {"x": [call.x], "output": [result.output], "mask": call.masks, "kept": result.kept, "arriving": arriving}
    return [groups[group][number] for group, number in backward.rows]


def _own(arrays: Sequence[Array | None]) -> list[Array | None]:
    """The arrays, with copies in place of repeated ones: parameters that share a gradient must not share its memory."""
    seen: set[int] = set()
    owned = []
    for array in arrays:
        if array is not None and id(array) in seen:
            array = array.copy()
        seen.add(id(array))
        owned.append(array)
    return owned


def _forward_words(call: Call, outputs: Sequence[Array], last: Sequence[Array]) -> tuple[list[int], object]:
    """The words of a forward pass into these arrays, and the arrays that must live until it has ended."""
    rows = [contiguous_features(value) for value in (call.x, *call.masks)]
    states = [contiguous_features(state) for state in call.states]
    words, alive = _head(call, call.reverse)
    parameters = [contiguous_blocks(parameter) for parameter in call.parameters]
    for parameter in parameters:
        words += matrix_words(parameter)
    for value in (*rows, *outputs):
        words += rows_words(value)
    for first, value in zip(states, last, strict=True):
        words += (*batch_words(first), *batch_words(value))
    words.append(0)
    return words, (rows, states, parameters, alive)


def _head(call: Call, reverse: bool) -> tuple[list[int], tuple[Array, ...]]:
    """The first words of a call, and the arrays that must live until the call has ended."""
    x = call.x
    sizes, reset = call.batch_sizes, call.reset
    if sizes is not None:
        sizes = np.ascontiguousarray(sizes, np.int64)
    if reset is not None:
        reset = np.ascontiguousarray(reset)
    steps = len(sizes) if sizes is not None else x.shape[0]
    batch = int(call.states[0].shape[0] if call.states else x.shape[1])
    words = [steps, batch, 0 if sizes is None else address(sizes), int(reverse), 0 if reset is None else address(reset)]
    return [*words, threads()], (sizes, reset)
