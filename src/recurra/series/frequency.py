"""``Frequency``: the regular grid of times that series lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times; a position is the whole number of steps since the grid's beginning.

    Attributes:
        name: pandas' name of the frequency with a multiple in front: ``YS``, ``YE``, ``QS``, ``QE``, ``MS``, ``ME``,
            ``W``, ``D``, ``B`` (Monday to Friday), ``h``, ``min``, ``s``, such as ``15min``; ``step`` for whole numbers
            instead of times.
        anchor: the time of position 0, datetime64[us] in UTC as its int64; for ``step`` the first number.
        zone: the IANA name of the time zone in which a day begins and ends; None for times without a zone.
    """

    name: str
    anchor: int = 0
    zone: str | None = None

    def positions(self, times: ArrayLike) -> NDArray[np.int64]:
        """The positions of times, datetime64[us] in UTC (for ``step``: whole numbers).

        Raises:
            RecurraError: a time lies between the steps of the grid.
        """
        raise NotImplementedError

    def times(self, positions: ArrayLike) -> NDArray[np.datetime64]:
        """The times of positions, datetime64[us] in UTC; for ``step``: whole numbers."""
        raise NotImplementedError

    @property
    def periods(self) -> tuple[int, ...]:
        """The usual seasons in steps, from the shortest, such as (24, 168) for ``h``; empty where there is none."""
        raise NotImplementedError

    def calendar(self, positions: ArrayLike) -> NDArray[np.float32]:
        """Features of the calendar at positions, between -1 and 1: float32 (positions, features).

        The sine and cosine of the place in the year, the month, the week, the day, where they change from step to step;
        no features for ``step``.
        """
        raise NotImplementedError
