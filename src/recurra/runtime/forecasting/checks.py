"""Checks of panels: whether a forecaster can forecast them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import RunError

if TYPE_CHECKING:
    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.panel import Panel
    from recurra.series.recipe import Recipe


def check_panel(panel: Panel, recipe: Recipe | AutoregressiveRecipe, horizon: int) -> None:
    """Refuse a panel that a forecaster cannot forecast.

    Args:
        panel: the series.
        recipe: the forecaster's.
        horizon: the steps for which known inputs must be given.

    Raises:
        RunError: the panel has another frequency or other inputs; nothing of a series was observed, or a value is
            infinite; or known inputs end too early. The message names the series.
    """
    frequency = panel.frequency
    if (frequency.name, frequency.zone) != (recipe.frequency.name, recipe.frequency.zone):
        theirs, ours = (f"{one.name}{f' in {one.zone}' if one.zone else ''}" for one in (frequency, recipe.frequency))
        raise RunError(f"the forecaster was trained on steps of {ours}; the series have steps of {theirs}")
    if panel.static.shape[1] != len(recipe.categories):
        count = len(recipe.categories)
        raise RunError(f"the forecaster takes {count} static columns; the series have {panel.static.shape[1]}")
    for series in range(len(panel)):
        _check_series(panel, series, recipe, horizon)


def _check_series(panel: Panel, series: int, recipe: Recipe | AutoregressiveRecipe, horizon: int) -> None:
    target, known = panel.target[series], panel.known[series]
    where = named(panel, series)
    if np.isinf(target).any():
        step = int(np.flatnonzero(np.isinf(target))[0])
        raise RunError(f"{where} has an infinite value at step {step}; a missing one is NaN")
    if np.isnan(target).all():
        raise RunError(f"nothing of {where} was observed, so nothing can be forecast: it needs a value")
    for what, array, names in (("known", known, recipe.known), ("past", panel.past[series], recipe.past)):
        if array.shape[1] != len(names):
            names_of = ", ".join(names) or "none"
            raise RunError(f"{where} has {array.shape[1]} {what} inputs; the forecaster takes {names_of}")
    ahead = len(known) - len(target)
    if recipe.known and ahead < horizon:
        raise RunError(
            f"{where}: the known inputs {', '.join(recipe.known)} must be given for {horizon} steps "
            f"after its end; {max(ahead, 0)} are"
        )


def named(panel: Panel, series: int) -> str:
    """A series in a message."""
    return f"series {panel.ids[series]!r}" if panel.ids[series] else "the series"
