"""The autoregressive job: training on windows of all series, by the likelihood of each value after those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.nn.parts import describe
from recurra.runtime import Model
from recurra.runtime.paths import PathSampler
from recurra.series.autoregressive.recipe import AutoregressiveRecipe, make_recipe
from recurra.series.autoregressive.windows import StepReader, StepWindows, inputs_of
from recurra.series.likelihoods import LIKELIHOODS, check_values, likelihood_for
from recurra.series.panel import Panel
from recurra.tasks.series.autoregressive.judging import LEAST_VALUES, are_left_out, judged
from recurra.tasks.series.autoregressive.network import log_densities, make_network, scaled_means
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings

if TYPE_CHECKING:
    from recurra.series.table_format import TableFormat

MOST_VALIDATED = 1024  # windows of an evaluation
MOST_JUDGED = 128  # series whose sample paths give the figures on left-out data
FILLS = 2  # passes that forecast missing values, so that a gap's later values follow from its earlier ones

Numbers = NDArray[np.int64]
Scaled = NDArray[np.float64]


class AutoregressiveJob:
    """A network and the series that it learns, in the form of the training loop's ``Job``.

    A window of training is a batch of places in series: the context before an origin and the horizon after it. All
    places of all series are drawn alike. The loss is the negative log-likelihood of each observed value of the horizon,
    given all values before it (Salinas et al. 2020, eq. 2); missing values have no loss, and are read as the mean that
    the network forecasts for them.

    The last `horizon` steps of each series are left out of training, unless they are more than a third of it; they
    choose the best weights, and say how good the forecaster is. Where no series is that long, all steps are trained on,
    and evaluations measure the last ones all the same.

    Args:
        panel: the series.
        settings: the settings of network and training; weights are drawn from torch's generator, which is seeded.
        names: the names of the known inputs, and those of the past ones, of which there must be none.
        least: the least value that a path may have. Default: there is none.
        table: the meaning of the table's columns, for the file.

    Attributes:
        recipe: the lengths, lags and inputs.

    Raises:
        RunError: a setting is out of range, no series is long enough, there are past inputs, or a value is none that
            the likelihood has.
    """

    item = "value"

    def __init__(
        self,
        panel: Panel,
        settings: AutoregressiveSettings,
        *,
        names: tuple[Sequence[str], Sequence[str]] = ((), ()),
        least: float | None = None,
        table: TableFormat | None = None,
    ) -> None:
        settings.check()
        if names[1]:
            raise RunError(
                f"the autoregressive model takes no past inputs: leave out {', '.join(names[1])}, or choose the model "
                "direct"
            )
        self.settings = settings
        seen = np.array([np.count_nonzero(~np.isnan(values)) for values in panel.target], np.int64)
        if not (seen >= LEAST_VALUES).any():
            raise RunError(_too_short(panel))
        likelihood = likelihood_for(panel.target) if settings.likelihood is None else LIKELIHOODS[settings.likelihood]
        check_values(likelihood, panel.ids, panel.target)
        self.recipe: AutoregressiveRecipe = make_recipe(
            panel, settings.horizon, likelihood.name, settings.context, known=names[0], least=least, table=table
        )
        self._reader = StepReader(panel, self.recipe)
        lengths, horizon = panel.lengths, settings.horizon
        is_left_out = are_left_out(panel, horizon)
        self._rows = np.flatnonzero(seen >= LEAST_VALUES)
        self._until = np.where(is_left_out, lengths - horizon, lengths)[self._rows]  # the steps that are trained on
        self._last = np.maximum(self._until - horizon, 1)  # origins whose horizon is trained on whole, if possible
        self._first = np.minimum(self._last, np.maximum(1, np.minimum(self.recipe.context, self._until // 2)))
        self._places = np.cumsum(self._last - self._first + 1)
        self._left_out = np.flatnonzero(is_left_out)
        validated = self._left_out if len(self._left_out) else self._rows[lengths[self._rows] > horizon]
        self._validated = _spread(validated if len(validated) else self._rows, MOST_VALIDATED)
        self.windows_per_epoch = settings.updates
        self.windows_per_evaluation = -(-len(self._validated) // settings.batch_size)
        self._epoch = 1
        torch.manual_seed(settings.seed)
        self.network = make_network(self.recipe, settings)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    @property
    def annotations(self) -> dict[str, object]:
        """The recipe, with the figures that left-out data give."""
        was_training = self.network.training
        sampler = PathSampler(Model(describe(self.network.eval())), self.recipe)
        self.network.train(was_training)
        return {"autoregressive": judged(sampler, self._reader.panel.take(_spread(self._left_out, MOST_JUDGED)))}

    def begin_epoch(self, epoch: int) -> None:
        """Take the epoch's number, which its windows are drawn with."""
        self._epoch = epoch

    def places(self, window: int) -> tuple[Numbers, Numbers, Numbers]:
        """The places of a window of this epoch, each (batch,): series, origins, and the step at which training ends."""
        generator = np.random.default_rng([self.settings.seed, self._epoch, window])
        drawn = generator.integers(self._places[-1], size=self.settings.batch_size)
        chosen = np.searchsorted(self._places, drawn, side="right")
        origins = self._last[chosen] - (self._places[chosen] - 1 - drawn)
        return self._rows[chosen], origins, self._until[chosen]

    def loss(self, window: int) -> tuple[Tensor, int]:
        """The negative log-likelihood of a window's observed values, summed, and their number."""
        return self._nats(*self.places(window))

    def state_tensors(self) -> list[Tensor]:
        """No state: windows are independent."""
        return []

    def load_state_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Take over no state.

        Raises:
            RunError: there are tensors.
        """
        if tensors:
            raise RunError("its windows carry no state")

    @torch.no_grad()
    def evaluate(self, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The negative log-likelihood of the last steps of each series, and the number of their observed values."""
        total, count, size = 0.0, 0, self.settings.batch_size
        lengths = self._reader.panel.lengths
        self.network.eval()
        try:
            for first in range(0, len(self._validated), size):
                rows = self._validated[first : first + size]
                origins = np.maximum(lengths[rows] - self.settings.horizon, 1)
                loss, values = self._nats(rows, origins, lengths[rows])
                total, count = total + float(loss), count + values
                if stop():
                    return None
        finally:
            self.network.train()
        return total, max(count, 1)

    def figures(self, loss: float) -> dict[str, float]:
        """No figures besides the loss."""
        return {}

    def _nats(self, rows: Numbers, origins: Numbers, until: Numbers) -> tuple[Tensor, int]:
        """The negative log-likelihood of the values from origins on, before the steps `until`, and their number."""
        horizon, likelihood = self.settings.horizon, self.recipe.distribution
        windows = self._reader.windows(rows, origins, horizon)
        windows.values[:, self.recipe.reach :][origins[:, None] + np.arange(horizon) >= until[:, None]] = np.nan
        scale = torch.from_numpy(windows.scale)
        raw, _ = self.network(torch.from_numpy(inputs_of(self.recipe, windows, self._filled(windows))))
        wanted = torch.from_numpy(windows.values[:, -horizon:].T.copy())
        is_seen = ~wanted.isnan()
        # Where nothing was observed, any value serves: gradients of NaN would be NaN even if they are masked.
        density = log_densities(likelihood, raw[-horizon:], wanted.nan_to_num(1.0), scale)
        return -(density * is_seen).sum(), int(is_seen.sum())

    def _filled(self, windows: StepWindows) -> Scaled:
        """The values of windows with the forecast means in the places of missing ones.

        The means are of passes over the whole window, so that a gap's later values are read a pass after its earlier
        ones; the forecasts themselves are made step by step.
        """
        lead, values = self.recipe.lags[-1], windows.values
        is_missing = np.isnan(values) & windows.is_inside
        is_missing[:, :lead] = False
        if not is_missing.any():
            return values
        was_training = self.network.training
        self.network.eval()
        filled: Scaled = values.copy()
        with torch.no_grad():
            for _ in range(FILLS):
                raw, _ = self.network(torch.from_numpy(inputs_of(self.recipe, windows, filled)))
                means = scaled_means(self.recipe.distribution, raw, torch.from_numpy(windows.scale)).numpy()
                np.copyto(filled[:, lead:], means.T, where=is_missing[:, lead:])
        self.network.train(was_training)
        return filled


def _spread(rows: Numbers, most: int) -> Numbers:
    """At most so many of the rows, evenly spread."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]


def _too_short(panel: Panel) -> str:
    if not len(panel):
        return "there is no series to train on"
    longest = int(panel.lengths.argmax())
    seen = int(np.count_nonzero(~np.isnan(panel.target[longest])))
    return (
        f"no series is long enough to train on: {LEAST_VALUES} observed values are needed, and the longest, "
        f"{panel.ids[longest]!r}, has {seen}"
    )
