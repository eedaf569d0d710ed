"""Scores of how well units follow a property, on all steps, on steps left out, and by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.look.seeing.properties import NUMBER, YES_NO, Property

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCKS = 10  # of the steps: every second one is left out, and surrogates are joined of blocks of this length
SURROGATES = 200
QUANTILE = 0.95
CAUTION = (
    "Scores are of these steps alone, at the step itself (no lag). Yes/no: 2·AUC − 1, where 1 means that the unit is "
    "always higher with the property, −1 always lower, 0 no difference. Numbers: the correlation. Cycles and "
    "categories: the multiple correlation, from 0 to 1. Among many units some follow anything by chance: 'by chance' "
    "is the score that the best unit exceeds in one of twenty surrogates of the property, which are its own tenths in "
    "random order. "
    "'Held out' is the score in every second tenth of the steps: positive if it has the direction found in the "
    "others, negative if it turned round; for all but yes/no around the mean of each tenth, as whatever drifts goes "
    "along with whatever else drifts. A unit counts as "
    "following if it exceeds chance, for all but yes/no also around the mean of each tenth, and keeps half of its "
    "score where it was held out. Even then it may follow something else that goes along with the property."
)


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of all units for one property.

    Attributes:
        scores: float64 (units,), from -1 to 1.
        held_out: float64 (units,), the score in every second block of steps, in the direction found in the others; NaN
            where one side lacks the property. But for yes/no it is of values around each block's mean.
        chance: the score that the best of all units reaches in one of twenty surrogates of the property.
        follows: bool (units,): whether a score is above chance, half of it is kept where it was held out, and but for
            yes/no it is above chance around each block's mean too: else whatever drifts would follow what else drifts.
    """

    scores: NDArray[np.float64]
    held_out: NDArray[np.float64]
    chance: float
    follows: NDArray[np.bool_]


def scores_of(values: NDArray[np.floating], what: Property, seed: int = 0) -> Scores:
    """Score all units.

    Args:
        values: (steps, units).
        what: the property, of which ``problem`` is None.
        seed: the seed of the surrogates.
    """
    known, kind = what.known, what.kind
    units, design = np.asarray(values, np.float64)[known], what.design()[known]
    block = np.arange(len(units)) * BLOCKS // len(units)
    held_out = _held_out(units, design, kind, block)
    ready = _ranks(units) if kind == YES_NO else units
    scores, surrogates = _score(ready, design, kind), [design[places] for places in _places(block, seed)]
    chance = _quantile(ready, surrogates, kind)
    follows = (np.abs(scores) > chance) & (held_out >= np.abs(scores) / 2)
    if kind != YES_NO and follows.any():
        units, design = _around_means(units, block), _around_means(design, block)
        surrogates = [_around_means(each, block) for each in surrogates]
        follows &= np.abs(_score(units, design, kind)) > _quantile(units, surrogates, kind)
    return Scores(scores, held_out, chance, follows)


def _score(units: NDArray[np.float64], design: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """The score of each unit, (units,): signed for yes/no and numbers, else from 0 to 1.

    For yes/no, where the units are ranks: 2·AUC − 1. For a number the correlation. For cycles and categories the
    multiple correlation: that of a unit with its best fit by the property.
    """
    if kind in (YES_NO, NUMBER):
        return np.asarray(_by_column(units, design, kind)[0])
    column = design - design.mean(0)
    basis, sizes, _ = np.linalg.svd(column, full_matrices=False)
    basis = basis[:, sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)]
    return np.asarray(np.sqrt(np.clip(((basis.T @ _normed(units)) ** 2).sum(0), 0, 1)))


def _by_column(units: NDArray[np.float64], columns: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """The score of each unit for each column, (columns, units); for yes/no the units are ranks."""
    if kind == NUMBER:
        return np.asarray(_normed(columns).T @ _normed(units))
    steps, count = len(columns), columns.sum(0)
    weights = columns / np.maximum(count, 1) - (1 - columns) / np.maximum(steps - count, 1)
    weights[:, (count == 0) | (count == steps)] = 0.0
    return np.asarray(2 / steps * (weights.T @ units))


def _normed(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with mean 0 and length 1; zero where a column is constant."""
    centred = columns - columns.mean(0)
    length = np.sqrt((centred**2).sum(0))
    size = np.abs(columns).max(0, initial=0.0) * np.sqrt(len(columns))
    return np.asarray(centred / np.where(length > 1e-9 * size, length, np.inf))


def _ranks(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each value among its unit's, (steps, units), from 1; equal values share their mean rank."""
    ranks = np.empty_like(units)
    for number, column in enumerate(units.T):
        _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, number] = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    return ranks


def _held_out(
    units: NDArray[np.float64], design: NDArray[np.float64], kind: str, block: NDArray[np.int64]
) -> NDArray[np.float64]:
    fitted, left = block % 2 == 0, block % 2 == 1
    lacking = np.full(units.shape[1], np.nan)
    if left.sum() < 2 or any(np.ptp(design[rows], 0).max() == 0 for rows in (fitted, left)):
        return lacking
    if kind == YES_NO:
        sides = [_score(_ranks(units[rows]), design[rows], kind) for rows in (fitted, left)]
        return np.asarray(sides[1] * np.sign(sides[0]))
    units, design = _around_means(units, block), _around_means(design, block)
    weights = np.linalg.lstsq(design[fitted], units[fitted], rcond=None)[0]
    return np.asarray((_normed(design[left] @ weights) * _normed(units[left])).sum(0))


def _around_means(columns: NDArray[np.float64], block: NDArray[np.int64]) -> NDArray[np.float64]:
    """Columns less their mean in each block."""
    means = np.stack([columns[block == number].mean(0) for number in np.unique(block)])
    return np.asarray(columns - means[np.unique(block, return_inverse=True)[1]])


def _quantile(ready: NDArray[np.float64], designs: list[NDArray[np.float64]], kind: str) -> float:
    """The score that the best unit exceeds for one of twenty surrogates."""
    if kind in (YES_NO, NUMBER):
        scores = _by_column(ready, np.concatenate(designs, 1), kind)
    else:
        scores = np.stack([_score(ready, design, kind) for design in designs])
    return float(np.quantile(np.abs(scores).max(1, initial=0.0), QUANTILE))


def _places(block: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """For each surrogate the steps from which it is taken, (surrogates, steps)."""
    generator = np.random.default_rng([seed, len(block)])
    _, first, number, counts = np.unique(block, return_index=True, return_inverse=True, return_counts=True)
    begins = generator.integers(0, len(block) - counts.max() + 1, (SURROGATES, len(counts)))
    return np.asarray(begins[:, number] + np.arange(len(block)) - first[number])
