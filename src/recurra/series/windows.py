"""Windows of series as the inputs of an encoder and a decoder, and the networks' outputs as quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.history import History
from recurra.series.linear import LinearMap
from recurra.series.references import Windows, references
from recurra.series.references import steps_back as reference_steps_back
from recurra.series.scaling import RELATIVE_ZERO, window_scales
from recurra.series.stacking import combine
from recurra.series.transforms import BY_NAME, NONE, TRANSFORMS, Transform, inverted, transform_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from recurra.series.panel import Panel
    from recurra.series.recipe import Recipe

AT_ONCE = 256  # windows that are encoded together
FURTHEST = 10.0  # scales from the offset: larger inputs are drawn in, larger outputs are not forecast
STEP_BIAS = -1.5  # with it, outputs of zero are steps of 0.2 scales between quantiles


def steps_back(recipe: Recipe) -> int:
    """The number of steps before an origin that a forecast depends on, once the transform is decided on.

    Of what came before, only the spread of a series that is constant in all of these steps matters.
    """
    longest = max(recipe.context + max(recipe.periods, default=0), reference_steps_back(recipe.periods))
    return max(longest, recipe.linear_memory)


class SeriesReader:
    """The series of a panel, ready to be read in windows.

    Args:
        panel: the series.
        recipe: the facts of the forecaster; of its fields the frequency, the periods, the transform, the least value
            and the inputs are used.

    Attributes:
        transforms: int64 (series,), the place of each series' transform in ``TRANSFORMS``.
        least: float64 (series,), the least value that its forecast may have: the recipe's, unless the series itself was
            below it; minus infinity without one.
    """

    def __init__(self, panel: Panel, recipe: Recipe) -> None:
        self.panel, self.recipe = panel, recipe
        found = [self._transform(values) for values in panel.target]
        self.transforms = np.array([TRANSFORMS.index(each) for each in found], np.int64)
        self.target = History.of([each.forward(values) for each, values in zip(found, panel.target, strict=True)])
        least = -np.inf if recipe.least is None else recipe.least
        self.least = np.array([-np.inf if (values < least).any() else least for values in panel.target])
        self.known, self.past = History.of(panel.known), History.of(panel.past)
        self._whole = np.array([deviation(self._values(place)) for place in range(len(panel))])

    def _transform(self, values: NDArray[np.float64]) -> Transform:
        """The transform of a series: the recipe's if it reads all values."""
        if self.recipe.transform is None:
            return transform_of(values, self.recipe.periods)
        decided = BY_NAME[self.recipe.transform]
        return decided if decided.reads(values) else NONE

    def _values(self, place: int) -> NDArray[np.float64]:
        begin = self.target.begins[place]
        return self.target.values[begin : begin + self.target.lengths[place]]

    def references(self, windows: Windows) -> Mapping[str, NDArray[np.float64]]:
        """The reference forecasts of windows, (windows, horizon) by name, transformed as the series."""
        return references(windows, self.recipe.horizon, self.recipe.periods)

    def _shift(
        self, windows: Windows, found: NDArray[np.float64], base: NDArray[np.float64], unit: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What the linear autoregression changes in combined references (references, windows, horizon), in scales."""
        linear = LinearMap.of(self.recipe)
        if linear is None:
            return np.zeros(base.shape)
        blend = combine(np.concatenate([found, linear(windows)[None]]), np.array(self.recipe.blend_weights))
        return np.asarray((blend - base) / unit)

    @property
    def look_back(self) -> int:
        """The number of steps before an origin that references read."""
        return reference_steps_back(self.recipe.periods)

    def windows(self, which: NDArray[np.int64], origins: NDArray[np.int64]) -> Windows:
        """The windows of series `which` that start at `origins`, both int64 (windows,)."""
        return Windows(self.target, which, origins)

    def ends(self) -> Windows:
        """The windows that forecast what comes after the end of each series."""
        return self.windows(np.arange(len(self.panel)), self.target.lengths)

    def actual(self, windows: Windows) -> NDArray[np.float64]:
        """What was observed at the forecast steps: float64 (windows, horizon), NaN where nothing was."""
        return windows.before(np.arange(self.recipe.horizon))

    def scales(self, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The offset and the scale of each window, float64 (windows,)."""
        context = windows.before(np.arange(-self.recipe.context, 0))
        return window_scales(context, self._whole[windows.which])

    def fitting_scales(self, windows: Windows) -> NDArray[np.float64]:
        """By which errors are divided in fits, float64 (windows,): the scales, at least a quarter of their series'.

        A window in which little happens would count for more than its errors do otherwise.
        """
        return np.maximum(self.scales(windows)[1], self._whole[windows.which] / 4)

    def encode(self, windows: Windows) -> EncodedWindows:
        """Windows as the inputs of an encoder and a decoder."""
        count = len(windows.which)
        if count <= AT_ONCE:
            return self._encoded(windows)
        whole: EncodedWindows | None = None
        for begin in range(0, count, AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            part = self._encoded(windows.take(rows))
            whole = whole or part.room_for(count)
            whole.put(rows, part)
        assert whole is not None
        return whole

    def encode_parts(
        self, windows: Windows, recipes: Sequence[Recipe], parts: Sequence[NDArray[np.int64]]
    ) -> EncodedWindows:
        """Windows as the inputs of an encoder and a decoder, with references as different recipes learned them.

        Args:
            windows: the windows.
            recipes: recipes that differ from this reader's in what their references learned.
            parts: for each recipe the windows that it reads; each window is in one part.
        """
        own, whole = self.recipe, None
        for self.recipe, rows in zip(recipes, parts, strict=True):
            for begin in range(0, len(rows), AT_ONCE):
                some = rows[begin : begin + AT_ONCE]
                part = self._encoded(windows.take(some))
                whole = whole or part.room_for(len(windows.which))
                whole.put(some, part)
        self.recipe = own
        assert whole is not None
        return whole

    def _encoded(self, windows: Windows) -> EncodedWindows:
        recipe = self.recipe
        past_steps, next_steps = np.arange(-recipe.context, 0), np.arange(recipe.horizon)
        context = windows.before(past_steps)
        offset, scale = window_scales(context, self._whole[windows.which])
        unit = np.where(scale > 0, scale, np.inf)[:, None]

        def level(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return drawn_in((values - offset[:, None]) / unit)

        found = self.references(windows)
        stacked = np.stack(list(found.values()))
        base = combine(stacked, np.array(recipe.reference_weights))
        lags = [context - windows.before(past_steps - period) for period in recipe.periods]
        past = [level(context), np.isnan(context), *(drawn_in(lag / unit) for lag in lags)]
        position = np.broadcast_to(next_steps / recipe.horizon, base.shape)
        future = [level(base), position, *(drawn_in((values - base) / unit) for values in found.values())]
        return EncodedWindows(
            _features(past, [*self._inputs(windows, past_steps, True)]),
            _features(future, [*self._inputs(windows, next_steps, False)]),
            base,
            self._shift(windows, stacked, base, unit),
            scale,
            self.transforms[windows.which],
            self.least[windows.which],
        )

    def _inputs(
        self, windows: Windows, steps: NDArray[np.int64], is_past: bool
    ) -> Sequence[NDArray[np.float32] | NDArray[np.float64]]:
        """The calendar, the known inputs, the past ones and the categories, each (windows, steps, features)."""
        panel, recipe = self.panel, self.recipe
        places = windows.origins[:, None] + steps
        positions = panel.starts[windows.which][:, None] + places
        calendar = panel.frequency.calendar(positions.reshape(-1)).reshape(*positions.shape, -1)
        count = len(recipe.known)
        centers, spreads = np.array(recipe.centers), np.array(recipe.spreads)
        inputs: list[NDArray[np.float32] | NDArray[np.float64]] = [calendar]
        if count:
            inputs.append(standard(self.known.at(windows.which, places), centers[:count], spreads[:count]))
        if is_past and recipe.past:
            inputs.append(standard(self.past.at(windows.which, places), centers[count:], spreads[count:]))
        for column, categories in enumerate(recipe.categories):
            chosen = panel.static[windows.which, column]
            one_hot = np.eye(categories + 1, dtype=np.float32)[np.where(chosen > categories, 0, chosen)]
            inputs.append(np.broadcast_to(one_hot[:, None], (*positions.shape, categories + 1)))
        return inputs


@dataclass(frozen=True, eq=False)
class EncodedWindows:
    """Windows as arrays.

    Attributes:
        past: float32 (context, windows, features), the encoder's input.
        future: float32 (horizon, windows, features), the decoder's input.
        base: float64 (windows, horizon), the combined reference forecast.
        shift: float64 (windows, horizon), what the linear autoregression changes in it, in scales; networks know
            nothing of it, as forecasts that err in different ways are better together.
        scale: float64 (windows,), the unit of the networks' outputs.
        transforms: int64 (windows,), the places of the transforms in ``TRANSFORMS``.
        least: float64 (windows,), the least value that a forecast may have.
    """

    past: NDArray[np.float32]
    future: NDArray[np.float32]
    base: NDArray[np.float64]
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    transforms: NDArray[np.int64]
    least: NDArray[np.float64]

    def room_for(self, count: int) -> EncodedWindows:
        """Arrays for so many windows of the same kind, with values still to be put into them."""
        return EncodedWindows(
            np.empty((len(self.past), count, self.past.shape[2]), np.float32),
            np.empty((len(self.future), count, self.future.shape[2]), np.float32),
            np.empty((count, self.base.shape[1])),
            np.empty((count, self.base.shape[1])),
            np.empty(count),
            np.empty(count, np.int64),
            np.empty(count),
        )

    def put(self, rows: slice | NDArray[np.int64], part: EncodedWindows) -> None:
        """Take over the values of windows."""
        self.past[:, rows], self.future[:, rows] = part.past, part.future
        self.base[rows], self.shift[rows], self.scale[rows] = part.base, part.shift, part.scale
        self.transforms[rows], self.least[rows] = part.transforms, part.least

    def without_inputs(self) -> EncodedWindows:
        """The windows with what `decode` needs alone, without the inputs of networks."""
        return replace(self, past=self.past[:, :, :0], future=self.future[:, :, :0])

    def take(self, rows: NDArray[np.int64]) -> EncodedWindows:
        """Some of the windows."""
        return EncodedWindows(
            self.past[:, rows],
            self.future[:, rows],
            self.base[rows],
            self.shift[rows],
            self.scale[rows],
            self.transforms[rows],
            self.least[rows],
        )

    def decode(self, quantiles: NDArray[np.float64], recipe: Recipe) -> NDArray[np.float64]:
        """The forecast in the units of the target: float64 (windows, horizon, levels); quantiles never cross.

        Args:
            quantiles: float64 (windows, horizon, levels), the mean of the members' `network_quantiles`.
            recipe: the facts of the forecaster.
        """
        horizon = quantiles.shape[1]
        base, shift = self.base[:, :horizon, None], self.shift[:, :horizon, None]
        values = Blend(recipe, horizon)(quantiles, base, shift, self.scale[:, None, None])
        return np.asarray(np.maximum(inverted(values, self.transforms), self.least[:, None, None]))


class Blend:
    """The rule by which networks' quantiles become those of a forecast, with the recipe's numbers as arrays.

    Args:
        recipe: the facts of the forecaster.
        horizon: the number of steps.
    """

    def __init__(self, recipe: Recipe, horizon: int) -> None:
        self._weight, self._median = recipe.network_weight, recipe.median
        self._others = 1 - self._weight
        self._simple = self._others * np.array(recipe.reference_quantiles[:horizon])
        self._widths = np.array(recipe.widths)

    def __call__(
        self,
        quantiles: NDArray[np.float64],
        base: NDArray[np.float64],
        shift: NDArray[np.float64],
        scale: NDArray[np.float64] | float,
    ) -> NDArray[np.float64]:
        """The forecast in the units of ``base``: float64 (…, horizon, levels).

        Args:
            quantiles: float64 (…, horizon, levels), the mean of the members' `network_quantiles`.
            base: float64 (…, horizon, 1), the combined reference forecast.
            shift: float64 (…, horizon, 1), what the linear autoregression changes in it, in scales.
            scale: the unit of the quantiles, which fits their shape.
        """
        blend: NDArray[np.float64] = (
            self._weight * np.minimum(np.maximum(quantiles, -FURTHEST), FURTHEST) + self._simple
        )
        blend += self._others * shift
        middle = blend[..., self._median, None]
        values: NDArray[np.float64] = middle + (blend - middle) * self._widths
        values.sort(axis=-1)
        values *= scale
        values += base
        return values


def network_quantiles(outputs: NDArray[np.float32], median: int) -> NDArray[np.float64]:
    """The quantiles of a network, in scales of its windows from their bases: float64 (windows, horizon, levels).

    Args:
        outputs: float32 (horizon, windows, levels), those of the decoder.
        median: the place of the median among the levels.
    """
    quantiles = ordered(outputs.astype(np.float64), median)
    return np.asarray(quantiles.transpose(1, 0, 2))


def ordered(outputs: NDArray[np.float64], median: int) -> NDArray[np.float64]:
    """Quantiles in order, from a network's outputs: the median, and steps of softplus to each side of it.

    Args:
        outputs: (…, levels).
        median: the place of the median.
    """
    steps = np.logaddexp(0.0, outputs + STEP_BIAS)
    middle = outputs[..., median : median + 1]
    quantiles = np.array(outputs)
    np.add(middle, np.add.accumulate(steps[..., median + 1 :], axis=-1), out=quantiles[..., median + 1 :])
    down = np.add.accumulate(steps[..., :median][..., ::-1], axis=-1)[..., ::-1]
    np.subtract(middle, down, out=quantiles[..., :median])
    return quantiles


def deviation(values: NDArray[np.float64]) -> float:
    """The mean absolute deviation of a series, (steps,); zero where it is constant."""
    seen = values[~np.isnan(values)]
    largest = np.abs(seen).max(initial=0.0)
    if not largest > 0:
        return 0.0
    deviation = float(np.abs(seen / largest - np.mean(seen / largest)).mean())
    return deviation * float(largest) if deviation > RELATIVE_ZERO else 0.0


def drawn_in(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values within the range of inputs; zero where nothing was observed."""
    return np.clip(np.nan_to_num(values, nan=0.0), -FURTHEST, FURTHEST)


def standard(
    values: NDArray[np.float64], centers: NDArray[np.float64], spreads: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Known or past inputs, (…, columns), as the networks take them."""
    return drawn_in((values - centers) / spreads)


def _features(
    columns: Sequence[NDArray[np.float64] | NDArray[np.bool_]],
    blocks: Sequence[NDArray[np.float32] | NDArray[np.float64]],
) -> NDArray[np.float32]:
    """Features side by side, time first: float32 (steps, windows, features)."""
    joined = np.concatenate([np.stack(columns, axis=-1), *blocks], axis=-1)
    return np.ascontiguousarray(joined.transpose(1, 0, 2), np.float32)
