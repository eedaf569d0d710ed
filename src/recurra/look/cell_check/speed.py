"""The speed of a cell's layer beside an LSTM of the same size, and the share of its time that the loop takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recurra.compiler import Plan
from recurra.compiler.schedule import program_schedule
from recurra.engines import ENGINES, Call
from recurra.look.cell_check.estimate import work
from recurra.look.cell_check.trials import random_inputs, results, trained
from recurra.look.timing import medians
from recurra.program import Equation, Program, Sizes, Variable

if TYPE_CHECKING:
    from torch import Tensor

    from recurra.nn import LSTM, Recurrent


@dataclass(frozen=True)
class CellSpeed:
    """Times of one layer at these sizes, in float32; medians of calls that take turns with the LSTM's.

    Attributes:
        seq_len: steps of a sequence.
        batch: sequences in the batch.
        input_size: features of the input.
        hidden_size: features of the hidden state, of the LSTM too.
        threads: the number of threads.
        inference: milliseconds of a call without gradients.
        training: milliseconds of a call and its backward pass.
        lstm_inference: the same of ``recurra.nn.LSTM``.
        lstm_training: the same of ``recurra.nn.LSTM``.
        in_loop: the share of the time of inference that the loop over time takes, 0 to 1; None where native code does
            not run the cell.
    """

    seq_len: int
    batch: int
    input_size: int
    hidden_size: int
    threads: int
    inference: float
    training: float
    lstm_inference: float
    lstm_training: float
    in_loop: float | None

    @property
    def inference_ratio(self) -> float:
        """The time of inference over the LSTM's."""
        return self.inference / self.lstm_inference

    @property
    def training_ratio(self) -> float:
        """The time of training over the LSTM's."""
        return self.training / self.lstm_training


def estimated_ratio(scheduled: Plan, lstm: Plan, sizes: Sizes) -> float:
    """The work of a step over that of an LSTM's of the same size."""
    return work(scheduled, sizes) / work(lstm, sizes)


def measured(layer: Recurrent, lstm: LSTM, batch: int, seq_len: int, seconds: float) -> CellSpeed:
    """Time a layer beside an LSTM of its sizes.

    Args:
        layer: one layer, in float32.
        lstm: the LSTM.
        batch: sequences in the batch.
        seq_len: steps of a sequence.
        seconds: the time to spend, about.
    """
    import torch

    inputs = random_inputs(layer, seq_len, batch)
    theirs = dict(list(inputs.items())[:1])
    inference, _ = medians([_inference(layer, inputs), _inference(lstm, theirs)], 0.3 * seconds)
    training, _ = medians([_training(layer, inputs), _training(lstm, theirs)], 0.5 * seconds)
    return CellSpeed(
        seq_len,
        batch,
        layer.input_size,
        layer._scans[0].sizes.hidden,
        torch.get_num_threads(),
        inference[0],
        training[0],
        inference[1],
        training[1],
        _loop_share(layer, inputs, 0.2 * seconds),
    )


def _inference(layer: Recurrent, inputs: Mapping[str, Tensor]) -> Callable[[], object]:
    import torch

    def call() -> None:
        with torch.no_grad():
            results(layer, inputs)

    return call


def _training(layer: Recurrent, inputs: Mapping[str, Tensor]) -> Callable[[], object]:
    import torch

    weights = list(trained(layer).values())

    def call() -> None:
        if weights:
            torch.autograd.grad(results(layer, inputs)[0].sum(), weights, allow_unused=True)
        else:
            results(layer, inputs)

    return call


def _loop_share(layer: Recurrent, inputs: Mapping[str, Tensor], seconds: float) -> float | None:
    """The share of the loop: the time of a call less that of the equations outside of it, which run on their own."""
    import torch

    from recurra.nn.running.scan import Sequences

    plan, sizes, engine = layer._scans[0].plan, layer._scans[0].sizes, ENGINES["native"]
    if engine.refuses(plan) is not None:
        return None
    rest = _without_loop(plan)
    if rest is None:
        return 1.0
    x = torch.cat(list(inputs.values()), dim=-1)  # as programs take several inputs
    steps, batch, width = x.shape[0], x.shape[1], rest.program.input.width(sizes)
    masks = [mask.numpy() for mask in layer._scans[0].draw(Sequences(x, None, None), batch, False)]
    parameters = [parameter.detach().numpy() for parameter in layer._parameters.values() if parameter is not None]
    states = [torch.zeros(batch, size).numpy() for size in layer._scans[0].state_sizes]
    call = Call(x.numpy(), None, states, parameters, sizes, masks)
    outside = Call(torch.randn(steps, batch, width).numpy(), None, [], parameters, sizes, masks)
    kernels = engine.build(plan), engine.build(rest)
    (whole, part), _ = medians([lambda: kernels[0].forward(call), lambda: kernels[1].forward(outside)], seconds)
    return min(1.0, max(0.0, 1 - part / whole))


def _without_loop(plan: Plan) -> Plan | None:
    """A plan of the rows' equations that run before and after the loop; None where there are none.

    Its input is the cell's own, with the values that the equations after the loop read from it on its right.
    """
    program, schedule = plan.program, plan.schedule
    read = {variable for equation in schedule.after for variable in equation.variables}
    looped = [variable for variable in schedule.loop_outputs() if variable in read]
    is_plain = all(len(variable.shape) == 1 for variable in looped)
    after = schedule.after if is_plain else ()
    equations = (*schedule.before, *after)
    if not equations:
        return None
    rows, first = program.input, tuple[Equation, ...]()
    if after and looped:
        width = program.input.shape[0]
        for variable in looped:
            width = width + variable.shape[0]
        rows = Variable("%rows", (width,))
        first = (Equation("partition", (rows,), (program.input, *looped)),)
    whole = (*schedule.once, *program.masks, *first, *equations)
    rest = Program(program.name, rows, (), program.parameters, whole, (), equations[-1].results[-1])
    return Plan(rest, rest, program_schedule(rest))
