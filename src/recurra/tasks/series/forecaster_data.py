"""The windows that a forecaster learns from, and those that its members leave out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError
from recurra.series.calibration import reference_quantiles
from recurra.series.forecast import LEVELS
from recurra.series.recipe import Recipe
from recurra.series.references import Windows
from recurra.series.seasons import find_periods
from recurra.series.transforms import transform_of
from recurra.series.windows import SeriesReader
from recurra.tasks.series.referencing import fit_references, owned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel
    from recurra.series.table_format import TableFormat
    from recurra.tasks.series.settings import SeriesSettings

LEAST_CONTEXT, MOST_CONTEXT = 24, 144
FIRST_SEASONS = 3  # that are only looked back on: the references know too little then
LONG_SEASON = 72  # steps; of a longer one the lags tell enough
MOST_WINDOWS, MOST_BYTES = 20_000, 64_000_000  # of all windows together, in numbers and in memory
MOST_UNSEEN = 512  # windows at the ends
FEW_WINDOWS, MANY_SERIES = 1_000, 10
OLDER = 0.5  # of what a block counts, what the one before it counts
STEPS_OF_FEW, STEPS_OF_ONE, STEPS_OF_MANY = 250, 150, 400


class ForecasterData:
    """The training windows of a panel, encoded, and the recipe before any training.

    Args:
        panel: the series.
        settings: the settings of the networks.
        names: the names of the known inputs, and those of the past ones.
        least: the least value that a forecast may have; None without one.
        table: the meaning of the table's columns, for the file.

    Attributes:
        recipe: the facts found in the data; training gives it the networks' weight and the widths (`judged`).
        windows: the encoded windows; the references of each were learned from windows that are clear of its block.
        target: float64 (windows, horizon), what is to be forecast, in scales from the base; NaN where nothing was seen.
        trained: for each member the windows that it learns from.
        unseen: windows at the series' ends that no member can learn from, as not all of their targets are known.
        left_out: for each member the windows that it leaves out; none overlaps in time with one of `trained`.
        recency: float64 (windows,), how much each window counts in the choice between networks and references.

    Raises:
        RunError: no series is long enough to learn from.
    """

    def __init__(
        self,
        panel: Panel,
        settings: SeriesSettings,
        names: tuple[Sequence[str], Sequence[str]],
        least: float | None,
        table: TableFormat | None,
    ) -> None:
        self.settings = settings
        generator = np.random.default_rng([settings.seed, 1])
        recipe = _first_recipe(panel, settings, names, least, table)
        self.reader = SeriesReader(panel, recipe)
        chosen = _origins(self.reader, recipe, generator)
        self.places = chosen
        self.actual = self.reader.actual(chosen)
        self.trained, self.left_out, self.recency = _split(chosen, recipe.horizon, settings.members)
        blocks = self.trained, self.left_out
        self.recipe, parts = fit_references(self.reader, chosen, generator, *blocks)
        self.windows = self.reader.encode_parts(chosen, parts, owned(len(chosen.which), *blocks))
        self.reader.recipe = self.recipe
        with np.errstate(all="ignore"):
            self.target = (self.actual - self.windows.base) / self.windows.scale[:, None]
        self.unseen = self.reader.encode(_last_origins(self.reader, recipe))
        self.recipe = replace(
            self.recipe, reference_quantiles=reference_quantiles(self.windows, self.actual, self.recipe)
        )

    @property
    def usual_steps(self) -> int:
        """The updates of a training: more for many series; a long one alone is learned by heart soon."""
        if len(np.unique(self.places.which)) >= MANY_SERIES:
            return STEPS_OF_MANY
        return STEPS_OF_FEW if len(self.places.which) < FEW_WINDOWS else STEPS_OF_ONE


def _first_recipe(
    panel: Panel,
    settings: SeriesSettings,
    names: tuple[Sequence[str], Sequence[str]],
    least: float | None,
    table: TableFormat | None,
) -> Recipe:
    """The facts that are known before any window is."""
    periods = find_periods(panel.target, panel.frequency.periods)
    decisions = {transform_of(values, periods).name for values in panel.target}
    centers, spreads = _centers_and_spreads(panel)
    return Recipe(
        frequency=panel.frequency,
        horizon=settings.horizon,
        context=settings.context or _context(periods, settings.horizon, panel),
        periods=periods,
        transform=decisions.pop() if len(decisions) == 1 else None,
        least=least,
        known=tuple(names[0]),
        past=tuple(names[1]),
        centers=centers,
        spreads=spreads,
        categories=tuple(int(column.max(initial=1)) for column in panel.static.T),
        reference_weights=((1.0,),) * min(3, settings.horizon),
        reference_quantiles=((0.0,) * len(LEVELS),) * settings.horizon,
        widths=(1.0,) * len(LEVELS),
        members=settings.members,
        table=table,
    )


def _context(periods: tuple[int, ...], horizon: int, panel: Panel) -> int:
    """Two of the shortest seasons, the longest one that is no longer than usual contexts, and at least the horizon."""
    short = [period for period in periods if period <= LONG_SEASON]
    whole = [period for period in periods if period <= MOST_CONTEXT]
    wanted = max([2 * short[0] if short else 0, whole[-1] if whole else 0, horizon, LEAST_CONTEXT])
    longest = max(map(len, panel.target), default=0)
    return max(1, min(wanted, MOST_CONTEXT, longest // 3))


def _centers_and_spreads(panel: Panel) -> tuple[tuple[float, ...], tuple[float, ...]]:
    centers: list[float] = []
    spreads: list[float] = []
    for inputs in (panel.known, panel.past):
        values = np.concatenate(inputs) if inputs else np.zeros((0, 0))
        for column in values.T:
            seen = column[np.isfinite(column)]
            center = float(seen.mean()) if len(seen) else 0.0
            spread = float(np.abs(seen - center).mean()) if len(seen) else 0.0
            centers.append(center)
            spreads.append(spread if spread > 0 else 1.0)
    return tuple(centers), tuple(spreads)


def _origins(reader: SeriesReader, recipe: Recipe, generator: np.random.Generator) -> Windows:
    """Windows to learn from: all there are, or as many as there is room for, drawn by chance."""
    lengths, horizon = reader.target.lengths, recipe.horizon
    least = recipe.periods[0] + 1 if recipe.periods else 2
    some = np.minimum(FIRST_SEASONS * recipe.periods[0] if recipe.periods else 0, lengths // 4)
    first = np.minimum(np.maximum(some, max(least, recipe.context // 2)), lengths // 2)
    if recipe.periods and recipe.periods[-1] > LONG_SEASON:
        long = np.minimum(recipe.periods[-1] + 1, lengths // 3)
        first = np.maximum(first, long)
    counts = np.maximum(lengths - horizon - np.maximum(first, 1) + 1, 0)
    total = int(counts.sum())
    if not total:
        longest = int(np.argmax(lengths))
        raise _too_short(int(lengths[longest]), int(first[longest]), horizon)
    bytes_each = 4 * (recipe.context + horizon) * (8 + 9 * len(recipe.periods) + 2 * len(recipe.known))
    most = max(64, min(MOST_WINDOWS, MOST_BYTES // bytes_each))
    numbers = np.arange(total) if total <= most else np.sort(generator.choice(total, most, replace=False))
    ends = np.cumsum(counts)
    which = np.searchsorted(ends, numbers, side="right")
    origins = np.maximum(first, 1)[which] + numbers - (ends - counts)[which]
    windows = reader.windows(which, origins)
    seen = np.isfinite(reader.actual(windows)).any(axis=1)
    return windows.take(np.flatnonzero(seen)) if seen.any() else windows


def _last_origins(reader: SeriesReader, recipe: Recipe) -> Windows:
    """The origins at and shortly before each series' end, of some of many series."""
    back = np.arange(min(recipe.horizon, MOST_UNSEEN))
    series = np.unique(np.linspace(0, len(reader.panel) - 1, max(1, MOST_UNSEEN // len(back))).astype(np.int64))
    which = np.repeat(series, len(back))
    origins = reader.target.lengths[which] - np.tile(back, len(series))
    return reader.windows(which[origins > 0], origins[origins > 0])


def _too_short(longest: int, history: int, horizon: int) -> RunError:
    """The refusal of series of which none has a history before a horizon."""
    needed = max(history, 1) + horizon
    shorter = f"; --horizon {longest - history} would do" if longest > history >= 1 else "; give a longer history"
    return RunError(
        f"no series is long enough: a horizon of {horizon} needs {needed} values or more, and the longest series has "
        f"{longest}{shorter}"
    )


def _split(
    windows: Windows, horizon: int, members: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]], NDArray[np.float64]]:
    """The windows that each member learns from, those that it leaves out, and how much each of these counts.

    Each series' forecast steps are cut into a block for each member. Series with too few windows for blocks go to a
    member as a whole, where there are several. A block counts half as much as the next one: a later block is forecast
    from more of its own past, and is more like the time to come.
    """
    begins = np.full(len(windows.history.lengths), np.iinfo(np.int64).max)
    np.minimum.at(begins, windows.which, windows.origins)
    ends = windows.history.lengths
    own_begin, own_end = begins[windows.which], ends[windows.which]
    several = len(np.unique(windows.which)) >= 2 * members
    as_a_whole = (own_end - own_begin < 2 * members * horizon) & several
    trained, left_out = [], []
    recency, later = np.ones(len(own_begin)), OLDER ** np.arange(members)[::-1]
    for place in range(members):
        begin = own_begin + (own_end - own_begin) * place // members
        end = own_begin + (own_end - own_begin) * (place + 1) // members
        last = np.maximum(end, begin + horizon)
        inside = (windows.origins >= begin) & (windows.origins + horizon <= last)
        clear = (windows.origins + horizon <= begin) | (windows.origins >= last)
        owned = windows.which % members == place
        inside, clear = np.where(as_a_whole, owned, inside), np.where(as_a_whole, ~owned, clear)
        if not inside.any():
            inside[-1] = True
        recency[inside & ~as_a_whole] = later[place] / later.mean()
        everything = np.arange(len(inside))
        left_out.append(everything[inside])
        trained.append(everything[clear] if clear.sum() >= 4 else everything)
    return trained, left_out, recency
