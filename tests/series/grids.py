"""A grid of whole numbers with made-up seasons, and panels on it."""

from dataclasses import dataclass

import numpy as np

from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel


@dataclass(frozen=True)
class Numbers(Frequency):
    """The frequency ``step``, with seasons of one's own."""

    seasons: tuple[int, ...] = ()

    @property
    def periods(self) -> tuple[int, ...]:
        return self.seasons

    def to_content(self):
        return Frequency(self.name).to_content()

    @property
    def calendar_width(self) -> int:
        return 0

    def calendar(self, positions):
        return np.zeros((len(positions), 0), np.float32)


def panel_of(*targets, seasons=(), ids=None):
    """A panel of lists of numbers."""
    arrays = [np.asarray(each, np.float64) for each in targets]
    return make_panel(arrays, Numbers("step", seasons=seasons), ids=ids or [f"s{k}" for k in range(len(arrays))])
