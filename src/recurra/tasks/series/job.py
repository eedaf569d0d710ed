"""The forecasting job: encoder–decoders that forecast quantiles, in the form of the training loop's ``Job``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from recurra import cells
from recurra.errors import RunError
from recurra.nn import EncoderDecoder, Ensemble, Recurrent, Stack
from recurra.series.windows import FURTHEST, STEP_BIAS, network_quantiles
from recurra.tasks.output_width import output_width
from recurra.tasks.series.forecaster_data import ForecasterData
from recurra.tasks.series.judging import judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel
    from recurra.series.recipe import Recipe
    from recurra.series.table_format import TableFormat
    from recurra.tasks.series.settings import SeriesSettings

FIRST_OUTPUTS = 0.3  # of a linear map's usual first weights: a forecast begins near the references
MEASURED = 256  # windows that are forecast at a time without gradients


class SeriesJob:
    """An ensemble of encoder–decoders and the series that they learn to forecast.

    Each member leaves out a block of time, or some of many short series; what it forecasts there measures the ensemble.

    Args:
        panel: the series.
        settings: the settings of networks and training; the weights are drawn from torch's generator, which is seeded.
        names: the names of the known inputs, and those of the past ones.
        least: the least value that a forecast may have. Default: there is none.
        table: the meaning of the table's columns, for the file. Default: there is no table.

    Raises:
        RunError: no series is long enough to learn from; or a setting is refused.
    """

    item = "value"

    def __init__(
        self,
        panel: Panel,
        settings: SeriesSettings,
        *,
        names: tuple[Sequence[str], Sequence[str]] = ((), ()),
        least: float | None = None,
        table: TableFormat | None = None,
    ) -> None:
        settings.check()
        self.settings = settings
        self.data = ForecasterData(panel, settings, names, least, table)
        torch.manual_seed(settings.seed)
        windows = self.data.windows
        sizes = windows.past.shape[2], windows.future.shape[2]
        levels = self.data.recipe.levels
        self.module = Ensemble(*(make_member(*sizes, len(levels), settings) for _ in range(settings.members)))
        self._past, self._future = torch.from_numpy(windows.past), torch.from_numpy(windows.future)
        target = self.data.target
        self._seen = torch.from_numpy(np.isfinite(target).T.copy())
        self._target = torch.from_numpy(np.nan_to_num(target, posinf=0.0, neginf=0.0).T.astype(np.float32))
        self._levels = torch.tensor(levels)
        self.windows_per_epoch = settings.steps or self.data.usual_steps
        self.windows_per_evaluation = settings.members

    @property
    def annotations(self) -> Mapping[str, object]:
        """The recipe, calibrated on what the members left out."""
        return {"forecaster": self.recipe()}

    def begin_epoch(self, epoch: int) -> None:
        """Prepare nothing: the windows of an update follow from its number."""

    def loss(self, window: int) -> tuple[Tensor, int]:
        """The quantile loss of an update's windows, of all members, and the number of their values."""
        total, values = torch.zeros(()), 0
        for place, member in enumerate(self.module):
            generator = np.random.default_rng([self.settings.seed, window, place])
            chosen = torch.from_numpy(generator.choice(self.data.trained[place], self.settings.batch_size))
            past, future = self._noisy(self._past[:, chosen]), self._noisy(self._future[:, chosen])
            loss = self._pinball(member(past, future), chosen)
            total = total + loss
            values += int(self._seen[:, chosen].sum())
        return total, max(values, 1)

    def _noisy(self, inputs: Tensor) -> Tensor:
        return inputs + self.settings.noise * torch.randn_like(inputs) if self.settings.noise else inputs

    def _pinball(self, outputs: Tensor, chosen: Tensor) -> Tensor:
        """The loss of a member's outputs, summed over observed values, and averaged over the levels."""
        quantiles = ordered(outputs, self.data.recipe.median)
        error = self._target[:, chosen, None] - quantiles
        losses = torch.maximum(self._levels * error, (self._levels - 1) * error).mean(dim=-1)
        return (losses * self._seen[:, chosen]).sum()

    def state_tensors(self) -> list[Tensor]:
        """No state is carried from window to window."""
        return []

    def load_state_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Take over no state.

        Raises:
            RunError: there is one.
        """
        if tensors:
            raise RunError("a forecaster carries no state")

    @torch.no_grad()
    def evaluate(self, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The quantile loss of what each member left out, and the number of its values; None if stopped."""
        total, values = 0.0, 0
        with self._evaluating():
            for chosen, outputs in self._left_out():
                total += float(self._pinball(outputs, chosen))
                values += int(self._seen[:, chosen].sum())
                if stop():
                    return None
        return total, max(values, 1)

    def figures(self, loss: float) -> dict[str, float]:
        """No further figures follow from the loss."""
        return {}

    @torch.no_grad()
    def left_out_forecasts(self) -> NDArray[np.float64]:
        """The networks' quantiles of all left-out windows, in scales: float64 (windows, horizon, levels)."""
        recipe = self.data.recipe
        found = np.empty((sum(map(len, self.data.left_out)), recipe.horizon, len(recipe.levels)))
        begin = 0
        with self._evaluating():
            for chosen, outputs in self._left_out():
                found[begin : begin + len(chosen)] = network_quantiles(outputs.numpy(), recipe.median)
                begin += len(chosen)
        return found

    @torch.no_grad()
    def disagreement(self) -> float:
        """The mean squared distance of members' medians from their mean, in scales, on windows that none has seen."""
        unseen, median = self.data.unseen, self.data.recipe.median
        with self._evaluating():
            outputs = self.module(torch.from_numpy(unseen.past), torch.from_numpy(unseen.future))
        medians = torch.stack([each[..., median] for each in outputs])
        return float(medians.clamp(-FURTHEST, FURTHEST).double().var(dim=0, unbiased=False).mean())

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        """The networks without dropout in the block."""
        was_training = self.module.training
        self.module.eval()
        try:
            yield
        finally:
            self.module.train(was_training)

    def _left_out(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The left-out windows, member by member in batches, with the member's outputs."""
        for place, member in enumerate(self.module):
            for chosen in torch.split(torch.from_numpy(self.data.left_out[place]), MEASURED):
                yield chosen, member(self._past[:, chosen], self._future[:, chosen])

    def recipe(self) -> Recipe:
        """The recipe with the weights, the widths and the figures that follow from left-out windows."""
        return judged(self.data, self.left_out_forecasts(), self.disagreement())


def make_member(past: int, future: int, levels: int, settings: SeriesSettings) -> EncoderDecoder:
    """Make a network: an encoder of the context, and a decoder of the steps to come.

    Raises:
        RunError: the decoder cannot begin with the encoder's states, as some are as wide as its input.
    """
    cell = cells.all()[settings.cell]
    output = nn.Linear(output_width(settings.cell, future, settings.hidden), levels)
    with torch.no_grad():
        output.weight.mul_(FIRST_OUTPUTS)
        output.bias.zero_()
    writing = Recurrent(cell, future, settings.hidden)
    reading = Recurrent(cell, past, settings.hidden)
    if reading.state_sizes != writing.state_sizes:
        raise RunError(
            f"--cell {settings.cell}: the decoder begins with the encoder's last states, but some states of this cell "
            f"are as wide as its input, which is {past} for the encoder and {future} for the decoder"
        )
    return EncoderDecoder(reading, Stack(writing, nn.Dropout(settings.dropout), output))


def ordered(outputs: Tensor, median: int) -> Tensor:
    """Quantiles in order, (…, levels), as ``recurra.series.windows.ordered`` gives them, with gradients."""
    steps = nn.functional.softplus(outputs + STEP_BIAS)
    middle = outputs[..., median : median + 1]
    up = middle + torch.cumsum(steps[..., median + 1 :], dim=-1)
    down = middle - torch.cumsum(steps[..., :median].flip(-1), dim=-1).flip(-1)
    return torch.cat([down, middle, up], dim=-1)
