"""``recurra::scan``: one scan as a single operator, which torch.compile and torch.export keep whole.

The operator also returns the tensors that its backward pass needs. Its gradient is a second operator,
``recurra::scan_backward``, which computes the wanted gradients alone. The engine is chosen when the graph is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from recurra.compiler import Plan, plan
from recurra.engines import Call, Engine, Kernel, Result, Wishes, choose, named
from recurra.engines.torch_internals import constant_when_compiled, recording_gradients, translate_to_onnx
from recurra.nn.running.checkpoint import SegmentedRun
from recurra.nn.running.execute import dtype_of
from recurra.nn.running.notice import announce, is_slow
from recurra.nn.running.scan import Scan, Sequences
from recurra.program import Products, Sizes, Variable, from_json

_CHECKPOINT = 32  # steps between kept states with checkpoint=True: a graph does not know T


def compiled_scan(
    scan: Scan,
    sequences: Sequences,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    traced: bool,
    checkpoint: bool | int | None,
    training: bool,
) -> list[Tensor]:
    """Run a scan by the operator: output, last states and traced variables. See ``run``."""
    x, dtype = sequences.x, sequences.x.dtype
    name, computed = "reference", dtype
    if not scan.is_empty:
        name, computed = _settled(
            scan.text, traced, str(dtype), x.device.type, sequences.reset is not None, scan.compute
        )
    # A conversion that changes nothing would be recorded too.
    inputs = [each if each.dtype == computed else each.to(computed) for each in (x, *states, *parameters)]
    if not torch.compiler.is_compiling():  # torch.jit.trace records twice and compares, with gradients and without
        wanted = [0] * len(inputs)
    elif torch.compiler.is_exporting():  # it is not known which gradients will be wanted
        wanted = [int(training and torch.is_grad_enabled())] * len(inputs)
    else:
        wanted = [int(torch.is_grad_enabled() and value.requires_grad) for value in inputs]
    count = 1 + len(states)
    values: list[Tensor] = scan_operator(
        inputs[0],
        [*inputs[1:], *(mask if mask.dtype == computed else mask.to(computed) for mask in masks)],
        sequences.batch_sizes,
        sequences.reset,
        scan.text,
        list(scan.sizes),
        scan.reverse,
        traced,
        name,
        wanted,
        _CHECKPOINT if checkpoint is True else int(checkpoint or 0),
    )
    results = values[: count + (len(scan.traced) if traced else 0)]
    return [value.to(dtype) if value.is_floating_point() and dtype != computed else value for value in results]


@constant_when_compiled
def _settled(
    program: str, traced: bool, dtype: str, device: str, resets: bool, compute: Products | None
) -> tuple[str, torch.dtype]:
    """The name of the engine that runs a program, and the dtype that it computes in."""
    name, scheduled = dtype.removeprefix("torch."), _plan_of(program, traced)
    engine = choose(scheduled, name, device, resets=resets, compute=compute)
    if is_slow(engine, device):
        announce("a compiled layer", scheduled.program.name, device, resets, traced)
    return engine.name, dtype_of(engine.computes_in(name))


@lru_cache(maxsize=512)
def _plan_of(text: str, traced: bool) -> Plan:
    """The plan of a program's JSON: operators have their programs in this form alone."""
    return plan(from_json(text), traced=traced)


class _OperatorScan:
    """A scan as the operators take it.

    Args:
        program: the program as JSON.
        sizes: the numbers of its symbols.
        reverse: whether the last step comes first.
        traced: whether every named variable is returned.
        engine: the engine's name.
        wanted: for x, each state and each parameter, 1 if its gradient will be wanted, else 0, as torch.jit.trace takes
            no list of bools; if none is, nothing is kept.
        checkpoint: steps between two kept states; 0 for no checkpoints.
    """

    def __init__(
        self,
        program: str,
        sizes: Sequence[int],
        reverse: bool,
        traced: bool,
        engine: str,
        wanted: Sequence[int],
        checkpoint: int,
    ) -> None:
        self.plan = _plan_of(program, traced)
        self.sizes, self.reverse = Sizes(*sizes), reverse
        self.engine: Engine = named(engine)
        self.kernel: Kernel = self.engine.build(self.plan)
        self.states = len(self.plan.program.states)
        self.inputs = 1 + self.states + len(self.plan.program.parameters)  # x, states and parameters
        self.checkpoint = checkpoint
        given = (True, *(variable.kind == "real" for _, variable in self.plan.traced))
        self.wishes = Wishes(tuple(map(bool, wanted)), given) if any(wanted) else None

    def call(self, x: Tensor, operands: Sequence[Tensor], batch_sizes: Any, reset: Any) -> Call:
        """The operator's operands as a call: first states, parameters and masks, one after the other."""
        states, count = operands[: self.states], self.inputs - 1
        parameters, masks = operands[self.states : count], operands[count:]
        return Call(x, batch_sizes, states, parameters, self.sizes, masks, reset, self.reverse)

    def forward(self, call: Call) -> list[Tensor]:
        """Output, last states, traced variables, and the tensors kept for the backward pass."""
        if self.wishes is not None and self.checkpoint:
            values, kept = SegmentedRun(self.kernel, call, self.checkpoint).forward(call)
            by_state = [kept[number :: self.states] for number in range(self.states)]
            return [*values, *(_stacked(each, like) for each, like in zip(by_state, call.states, strict=True))]
        result = self.kernel.forward(call, self.wishes)
        return [result.output, *result.states, *result.traced.values(), *result.kept]

    def kept_like(self, x: Tensor, states: Sequence[Tensor], batch_sizes: Tensor | None) -> list[Tensor]:
        """Tensors of the shapes of those that are kept, without numbers."""
        if self.wishes is None:
            return []
        if self.checkpoint:
            steps = (x if batch_sizes is None else batch_sizes).shape[0]
            between: Any = torch.sym_max(0, (steps - 1) // self.checkpoint)  # type: ignore[no-untyped-call]
            return [state.new_empty((between, *state.shape)) for state in states]
        return [x.new_empty(shape) for shape in self.kernel.kept_shapes(tuple(x.shape[:-1]), self.sizes, self.wishes)]

    def backward(self, call: Call, output: Tensor, kept: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Any]:
        """The gradients of x, of each state and of each parameter; None where they are not wanted."""
        assert self.wishes is not None
        with torch.enable_grad(), recording_gradients():  # for kernels that are made of torch's operations
            if self.checkpoint:
                run = SegmentedRun(self.kernel, call, self.checkpoint)
                pieces = [state for states in zip(*kept, strict=True) for state in states]
                return run.backward(call, pieces, gradients, self.wishes.wanted)
            rows = [gradients[0], *gradients[1 + self.states :]]
            arriving = [g for g, may_arrive in zip(rows, self.wishes.given, strict=True) if may_arrive]
            result = Result(output, (), {}, tuple(kept))
            return self.kernel.backward(call, result, self.wishes, arriving, gradients[1 : 1 + self.states])


def _stacked(values: Sequence[Tensor], like: Tensor) -> Tensor:
    return torch.stack(list(values)) if values else like.new_empty((0, *like.shape))


def _unshared(values: Sequence[Tensor], operands: Sequence[Tensor]) -> list[Tensor]:
    """The values, copied where they share memory with operands or each other: results of an operator must not."""
    taken = {value.untyped_storage().data_ptr() for value in operands}
    unshared = []
    for value in values:
        memory = value.untyped_storage().data_ptr()
        unshared.append(value.clone() if memory in taken else value.contiguous())
        taken.add(memory)
    return unshared


@torch.library.custom_op("recurra::scan", mutates_args=())
def scan_operator(
    x: Tensor,
    operands: list[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    program: str,
    sizes: list[int],
    reverse: bool,
    traced: bool,
    engine: str,
    wanted: list[int],
    checkpoint: int,
) -> list[Tensor]:
    """Run one scan: output, last states, traced variables, and the kept tensors; see ``_OperatorScan``.

    States, parameters and masks are one list: AOTInductor's packages cannot pass an empty list, and there may be no
    masks.
    """
    scan = _OperatorScan(program, sizes, reverse, traced, engine, wanted, checkpoint)
    values = scan.forward(scan.call(x, operands, batch_sizes, reset))
    return _unshared(values, [x, *operands])


@scan_operator.register_fake
def _(x: Tensor, operands: list[Tensor], batch_sizes: Tensor | None, reset: Tensor | None, *told: Any) -> list[Tensor]:
    scan = _OperatorScan(*told)

    def rows(variable: Variable) -> Tensor:
        dtype = x.dtype if variable.kind == "real" else torch.bool
        return x.new_empty((*x.shape[:-1], variable.width(scan.sizes)), dtype=dtype)

    states = operands[: scan.states]
    last = [x.new_empty(state.shape) for state in states]
    traced = [rows(variable) for _, variable in scan.plan.traced]
    return [rows(scan.plan.program.output), *last, *traced, *scan.kept_like(x, states, batch_sizes)]


@torch.library.custom_op("recurra::scan_backward", mutates_args=())
def scan_backward_operator(
    gradients: list[Tensor],
    x: Tensor,
    operands: list[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    saved: list[Tensor],
    program: str,
    sizes: list[int],
    reverse: bool,
    traced: bool,
    engine: str,
    wanted: list[int],
    checkpoint: int,
) -> list[Tensor]:
    """The gradients that are wanted: of x, of states and of parameters, in this order.

    ``saved`` holds the output of the forward pass, then what that kept.
    """
    scan = _OperatorScan(program, sizes, reverse, traced, engine, wanted, checkpoint)
    output, *kept = saved
    found = scan.backward(scan.call(x, operands, batch_sizes, reset), output, kept, gradients)
    results = [
        torch.zeros_like(value, memory_format=torch.contiguous_format) if gradient is None else gradient.detach()
        for value, gradient, is_wanted in zip([x, *operands], found, wanted, strict=False)
        if is_wanted
    ]
    return _unshared(results, [*gradients, x, *operands, *saved])


@scan_backward_operator.register_fake
def _(gradients: list[Tensor], x: Tensor, operands: list[Tensor], *rest: Any) -> list[Tensor]:
    wanted = rest[-2]
    return [
        value.new_empty(value.shape)
        for value, is_wanted in zip((x, *operands), wanted, strict=False)  # masks, which come last, have no gradients
        if is_wanted
    ]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, operands, batch_sizes, reset, *told = inputs
    scan = _OperatorScan(*told)
    count = 1 + scan.states + len(scan.plan.traced)
    kept = output[count:] if scan.wishes is not None else []
    ctx.operands, ctx.told = len(operands), told
    ctx.likes = [(value.shape, value.dtype) for value in output[:count]]
    ctx.save_for_backward(x, *operands, batch_sizes, reset, output[0], *kept)


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    x, *rest = ctx.saved_tensors
    operands, (batch_sizes, reset, *saved) = rest[: ctx.operands], rest[ctx.operands :]
    given = [
        x.new_zeros(shape, dtype=dtype) if gradient is None else gradient
        for gradient, (shape, dtype) in zip(gradients, ctx.likes, strict=False)
    ]
    *told, wanted, checkpoint = ctx.told
    needs_x, needs_operands, *_ = ctx.needs_input_grad
    needed = [needs_x, *needs_operands][: len(wanted)]
    if any(is_needed and not is_wanted for is_needed, is_wanted in zip(needed, wanted, strict=True)):
        # An exported program in evaluation mode is trained all the same: the forward pass has kept too little.
        wanted = [1] * len(wanted)
        again = scan_operator(x, operands, batch_sizes, reset, *told, wanted, checkpoint)
        saved = [saved[0], *again[len(given) :]]
    found = iter(scan_backward_operator(given, x, operands, batch_sizes, reset, saved, *told, wanted, checkpoint))
    dx, *of_operands = [next(found) if is_wanted else None for is_wanted in wanted]
    of_masks = [None] * (len(operands) - len(of_operands))
    return dx, [*of_operands, *of_masks], *(None,) * (2 + len(ctx.told))


scan_operator.register_autograd(_differentiate, setup_context=_keep)


def _translation(exporter: str, function: str) -> Any:
    """A translation for an exporter of torch.onnx, found by name, as onnx stands above nn."""
    return getattr(import_module(f"recurra.onnx.torch_exporters.{exporter}"), function)


translate_to_onnx(
    {"recurra::scan": partial(_translation, "program", "scan")},
    {
        "recurra::scan": partial(_translation, "trace", "scan"),
        "aten::_pack_padded_sequence": partial(_translation, "trace", "pack_padded_sequence"),
        "aten::_pad_packed_sequence": partial(_translation, "trace", "pad_packed_sequence"),
    },
)
