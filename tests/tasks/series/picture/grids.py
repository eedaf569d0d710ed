"""Regular grids of times for the tests of pictures, which need no more of a frequency than its times."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Times a whole number of numpy's units apart; without a unit, whole numbers."""

    begin: str
    unit: str
    count: int = 1
    zone: str | None = None
    name: str = "MS"

    def times(self, positions):
        steps = np.asarray(positions) * self.count
        if not self.unit:
            return int(self.begin) + steps
        return (np.datetime64(self.begin, self.unit) + steps).astype("datetime64[us]")
