"""What a backtest says in plain sentences and in a small table: how much better than the naive forecasts, or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from recurra.series.backtest import MODEL
from recurra.series.metrics import shown
from recurra.series.recipe import Recipe

if TYPE_CHECKING:
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.metrics import Measures

OWN = "recurra"
COLUMNS = {
    "mase": "MASE",
    "wql": "WQL",
    "mae": "MAE",
    "rmse": "RMSE",
    "coverage80": "80 % holds",
    "coverage90": "90 % holds",
}
SAME = 0.01  # forecasts whose errors differ by less are called equally good
FEW = 100  # values, below which a coverage is luck
# The coverages that are called right, of the interval of 80 % and of that of 90 %.
RIGHT80, RIGHT90 = (0.72, 0.92), (0.84, 0.97)

Named = Mapping[str, "Measures"]


def sentences(named: Named) -> list[str]:
    """What measures say: how much better than the best naive forecast, and whether the intervals hold what they should.

    Args:
        named: measures of all values together, by the names of a ``Backtest``.
    """
    own = named[MODEL]
    count = int(own.count)
    if not count:
        return ["No values were left to compare the forecast with: nothing is known of its errors."]
    said = [f"{_comparison(named)} ({count:,} values)."]
    if not math.isnan(float(own.coverage80)):
        said.append(_coverage(float(own.coverage80), float(own.coverage90), count))
    return said


def training_sentences(recipe: Recipe | AutoregressiveRecipe) -> list[str]:
    """What the data say that a forecaster's members left out of their training.

    Args:
        recipe: the trained forecaster's.
    """
    if not recipe.left_out:
        return ["No values were left out of the training: nothing is known of its errors."]
    best, gain, count = f"the best naive forecast, {recipe.naive}", recipe.gain, f"({recipe.left_out:,} values)"
    if gain is None or gain <= 0:
        larger = "its error was as large"
        if gain is None:
            larger = "that makes no error"
        elif gain <= -SAME:
            larger = f"its error was {-100 * gain:.0f} % larger"
        said = [f"On left-out data it was NOT better than {best}: {larger} {count}."]
        if recipe.network_weight == 0:
            said.append(f"So it forecasts with that one, {recipe.naive}, alone.")
        else:
            said.append("It forecasts with its network all the same; the model direct would take the naive forecast.")
    else:
        much = f"{100 * gain:.0f} % smaller than" if gain >= SAME else "about"
        said = [f"On left-out data its error is {much} that of {best} {count}."]
        if recipe.network_weight == 0:
            said.append("It combines naive forecasts alone: the networks did not help.")
    if len(recipe.coverage) == 2:
        if isinstance(recipe, Recipe) and recipe.is_certain:
            said.append(_certainty(recipe.coverage[0]))
        else:
            said.append(_coverage(*recipe.coverage, recipe.left_out))
    return said


def training_facts(recipe: Recipe | AutoregressiveRecipe) -> dict[str, object]:
    """The figures of :func:`training_sentences`, by their names in JSON."""
    coverage = dict(zip(("coverage80", "coverage90"), recipe.coverage, strict=False))
    return {
        "horizon": recipe.horizon,
        "left_out": recipe.left_out,
        "best_naive": recipe.naive or None,
        "gain": recipe.gain,
        "network_weight": recipe.network_weight,
        "coverage80": coverage.get("coverage80"),
        "coverage90": coverage.get("coverage90"),
    }


def best_naive(named: Named) -> str | None:
    """The name of the naive forecast with the smallest error; None if there is none."""
    errors = {name: float(each.mase) for name, each in named.items() if name != MODEL}
    known = {name: error for name, error in errors.items() if not math.isnan(error)}
    return min(known, key=known.__getitem__, default=None)


def _comparison(named: Named) -> str:
    own, name = float(named[MODEL].mase), best_naive(named)
    if name is None:
        return f"Its mean error is {shown(own)} times that of the steps of a season before (MASE)"
    naive = float(named[name].mase)
    figures = f"MASE {shown(own)} against {shown(naive)}"
    best = f"the best naive forecast, {name}"
    if abs(own - naive) <= SAME * naive:
        return f"It errs as much as {best}: {figures}"
    if own < naive:
        return f"Its error is {100 * (1 - own / naive):.0f} % smaller than that of {best}: {figures}"
    larger = f"its error is {100 * (own / naive - 1):.0f} % larger, {figures}" if naive > 0 else figures
    return f"It is NOT better than {best}: {larger}"


def _coverage(inside80: float, inside90: float, count: int) -> str:
    held = f"Its 80 % interval held {100 * inside80:.0f} % of the values, its 90 % interval {100 * inside90:.0f} %"
    if count < FEW:
        return f"{held}; of so few values this says little."
    if inside80 < RIGHT80[0] or inside90 < RIGHT90[0]:
        return f"{held}: they are too narrow."
    if inside80 > RIGHT80[1] or inside90 > RIGHT90[1]:
        return f"{held}: they are wider than they need be."
    return f"{held}: they hold what they promise."


def _certainty(inside: float) -> str:
    much = "all" if inside == 1 else f"{100 * inside:.0f} %"
    return f"Its intervals have no width, as it forecast {much} of the values without any error."


def rows_of(named: Named) -> list[tuple[str, ...]]:
    """A table of the measures: a head, the forecaster's own row, and the naive ones from the best to the worst."""
    naive = sorted((name for name in named if name != MODEL), key=lambda name: _order(float(named[name].mase)))
    rows: list[tuple[str, ...]] = [("", *COLUMNS.values())]
    for name in (MODEL, *naive):
        texts = [_text(measure, float(getattr(named[name], measure))) for measure in COLUMNS]
        rows.append((OWN if name == MODEL else name, *texts))
    return rows


def _order(error: float) -> float:
    return math.inf if math.isnan(error) else error


def _text(measure: str, value: float) -> str:
    if measure.startswith("coverage") and not math.isnan(value):
        return f"{100 * value:.0f} %"
    return shown(value)
