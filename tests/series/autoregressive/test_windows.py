"""Windows beside loops over single steps: values, scales, lags, covariates; the end of a series is not read."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from recurra.series.autoregressive.recipe import make_recipe
from recurra.series.autoregressive.windows import StepReader, inputs_of
from tests.series.grids import Numbers, panel_of

RANDOM = np.random.default_rng(6)


@dataclass(frozen=True)
class Parity(Numbers):
    """A grid whose calendar tells odd positions from even ones."""

    @property
    def calendar_width(self) -> int:
        return 1

    def calendar(self, positions):
        return (np.asarray(positions)[:, None] % 2).astype(np.float32)


def make_panel(level=0.0):
    targets = RANDOM.normal(level, 1, 40), RANDOM.normal(level, 100, 25)
    targets[0][[17, 30, 31]] = math.nan
    panel = panel_of(*targets)
    return replace(
        panel,
        starts=np.array([3, 8]),
        known=tuple(RANDOM.normal(size=(len(values) + 5, 2)) for values in targets),
        static=np.array([[2], [7]]),
        frequency=Parity("step", seasons=(6,)),
    )


def test_inputs_are_those_of_a_loop():
    panel = make_panel()
    recipe = replace(make_recipe(panel, 4, "normal", 8, known=("a", "b")), categories=(3,))
    assert recipe.lags == (1, 6, 12)
    rows, origins = np.array([0, 1, 0]), np.array([25, 25, 5])
    windows = StepReader(panel, recipe).windows(rows, origins, 4)
    inputs = inputs_of(recipe, windows, windows.values)
    assert inputs.shape == (12, 3, recipe.inputs)
    assert inputs.dtype == np.float32
    for place, (row, origin) in enumerate(zip(rows, origins, strict=True)):
        target, context = panel.target[row], panel.target[row][max(0, origin - 8) : origin]
        offset = np.nanmean(context)
        scale = np.nanmean(np.abs(context - offset))
        assert (windows.offset[place], windows.scale[place]) == pytest.approx((offset, scale))
        for number in range(12):
            step = origin - 8 + number
            lags = [target[step - lag] if 0 <= step - lag < len(target) else math.nan for lag in (1, 6, 12)]
            scaled = [0 if math.isnan(value) else (value - offset) / scale for value in lags]
            known = np.zeros(2)
            if 0 <= step < len(panel.known[row]):
                known = (panel.known[row][step] - recipe.known_means) / np.array(recipe.known_scales)
            parity = (panel.starts[row] + step) % 2
            expected = [*scaled, float(step > 0), parity, *known, 0, float(row == 0), 0]
            np.testing.assert_allclose(inputs[number, place], expected, rtol=1e-5, atol=1e-6)


def test_values_after_the_origin_change_no_scale_and_no_earlier_step():
    panel = make_panel()
    recipe = make_recipe(panel, 4, "normal", 8, known=("a", "b"))
    rows, origins = np.array([0, 1]), np.array([20, 15])
    before = StepReader(panel, recipe).windows(rows, origins, 4)
    for values, origin in zip(panel.target, origins, strict=True):
        values[origin:] = 1e6
    after = StepReader(panel, recipe).windows(rows, origins, 4)
    np.testing.assert_array_equal(before.scale, after.scale)
    np.testing.assert_array_equal(before.values[:, :-4], after.values[:, :-4])
    one, other = (inputs_of(recipe, each, each.values) for each in (before, after))
    np.testing.assert_array_equal(one[:9], other[:9])
    assert (one[9:] != other[9:]).any()


def test_positive_series_are_scaled_by_their_level():
    panel = panel_of(np.array([1.0, 2, 3, 4, 5, 9]))
    recipe = make_recipe(panel, 1, "student-t", 3)
    windows = StepReader(panel, recipe).windows(np.array([0]), np.array([5]), 1)
    assert (windows.offset[0], windows.scale[0]) == (0, 4)
    assert windows.values[0].tolist() == [0.5, 0.75, 1, 1.25, 2.25]


@pytest.mark.parametrize(
    ("values", "likelihood", "expected"),
    [
        ([5, 7, *[math.nan] * 6], "poisson", (0, 6)),
        ([-5, -7, *[math.nan] * 6], "normal", (-6, 1)),
        ([-4] * 8, "normal", (-4, 4)),
        ([0] * 8, "normal", (0, 1)),
        ([0] * 8, "poisson", (0, 1)),
        ([math.nan] * 8, "poisson", (0, 1)),
        ([-1e300, 1e300] * 4, "normal", (0, 1e300)),
    ],
)
def test_scales_of_odd_contexts(values, likelihood, expected):
    panel = panel_of(values)
    windows = StepReader(panel, make_recipe(panel, 1, likelihood, 4)).windows(np.array([0]), np.array([8]), 1)
    assert (windows.offset[0], windows.scale[0]) == pytest.approx(expected)


def test_what_is_inside():
    panel = panel_of([1, math.nan, 3])
    windows = StepReader(panel, make_recipe(panel, 2, "normal", 4)).windows(np.array([0]), np.array([3]), 2)
    assert windows.is_inside[0].tolist() == [False, False, True, True, True, True, True]
    assert np.isnan(windows.values[0]).tolist() == [True, True, False, True, False, True, True]
