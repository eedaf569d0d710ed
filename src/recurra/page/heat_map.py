"""Heat maps: a matrix as a picture of one pixel for each cell, whose numbers the pointer and the arrow keys show."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.page.png import png

MOST_CELLS = 12_000  # of a map; a cell takes some five bytes of the page
ENOUGH_COLUMNS, MOST_COLUMNS = 300, 1_000  # of a map with too many cells, of one with few rows
ROOM, TALL = 840, 420  # pixels that a map should fill
LEVELS = 255  # of colours
_ANCHORS = {  # of the scales, in hexadecimal
    "diverging": "0b3f8a 2f7cc4 9ccae6 f4f5f7 f6b08c d4513f 8f1030",
    "sequential": "f7f9fb c7dee2 7ab5c2 2d7c9b 164673 0c1840",
}
_SIGNS = str.maketrans({"\n": "↵", "\r": "␍", "\t": "⇥"})
_EDGES = re.compile(r"^ | $")
_MISSING = (138, 146, 156)


@dataclass(frozen=True)
class _MapLayout:
    """The sizes of a map in pixels: of a cell, and every how many rows and columns one has its label."""

    width: float
    height: float
    every_row: int
    every_column: int
    is_upright: bool


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A matrix as colours.

    A page shows at most 12,000 cells of a map, the first rows and columns; the caption says what was left out.

    Attributes:
        title: what it shows.
        values: the numbers: (rows, columns), at least one; NaN is grey.
        row_labels: a text for each row.
        column_labels: a text for each column, such as a token; a space at its ends and a line break are
            shown as signs.
        scale: ``diverging``, blue to red with zero in the middle, or ``sequential``, light to dark.
        low: the number of the first colour; default the lowest one, on a diverging scale `high` with the other sign.
        high: the number of the last colour; default the highest one, on a diverging scale the largest size.
        value_format: the numbers as :func:`format` writes them. Default ``.3f``.
    """

    title: str
    values: ArrayLike
    row_labels: Sequence[str]
    column_labels: Sequence[str]
    scale: Literal["diverging", "sequential"] = "diverging"
    low: float | None = None
    high: float | None = None
    value_format: str = ".3f"

    style: ClassVar[str] = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    script: ClassVar[str] = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

    def html(self) -> str:
        """The map as HTML.

        Raises:
            ValueError: the values are no matrix, there are none, or there are not as many labels.
        """
        values = self._matrix()
        rows, columns = kept = _kept(*values.shape)
        low, high = self._ends(values)
        shown = values[:rows, :columns]
        layout = _layout(self.row_labels[:rows], self._columns()[:columns])
        picture = base64.b64encode(png(colours(shown, low, high, self.scale))).decode()
        summary = escape(self._summary(values, kept))
        cells = json.dumps(self._content(shown), ensure_ascii=False, separators=(",", ":"))
        sizes = f"--rows:{rows};--columns:{columns};--width:{layout.width:g}px;--height:{layout.height:g}px"
        return (
            f'<figure class="heat-map">\n<p class="title">{escape(self.title)}</p>\n'
            f'<p class="readout" aria-live="polite">Point at a cell, or use the arrow keys, to read its number.</p>\n'
            f'<div class="scroll"><div class="map" style="{sizes}">\n'
            f'<div class="rows" aria-hidden="true">{_labels(self.row_labels[:rows], layout.every_row)}</div>\n'
            f'<div class="cells" tabindex="0" role="application" aria-roledescription="heat map" '
            f'aria-label="{escape(self.title)}. The arrow keys, Home and End read it out." '
            f'data-cells="{escape(cells)}">'
            f'<img alt="{summary}" src="data:image/png;base64,{picture}"><div class="cursor" hidden></div></div>\n'
            f'<div class="columns{" upright" if layout.is_upright else ""}" aria-hidden="true">'
            f"{_labels(self._columns()[:columns], layout.every_column)}</div>\n</div></div>\n"
            f"{self._key(low, high)}<figcaption>{summary}</figcaption>\n</figure>\n"
        )

    def _matrix(self) -> NDArray[np.float64]:
        values = np.asarray(self.values, np.float64)
        labels = (len(self.row_labels), len(self.column_labels))
        if values.ndim != 2 or not values.size:
            raise ValueError(f"a heat map needs values (rows, columns), and some; got {values.shape}")
        if values.shape != labels:
            raise ValueError(f"values {values.shape} need as many labels of rows and columns; got {labels}")
        return values

    def _columns(self) -> list[str]:
        """The labels of the columns, without characters that are not seen."""
        return [_EDGES.sub("␣", label.translate(_SIGNS)) for label in self.column_labels]

    def _ends(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """The numbers of the first and the last colour."""
        finite = values[np.isfinite(values)]
        if self.scale == "diverging":
            size = float(np.abs(finite).max(initial=0.0)) or 1.0
            high = self.high if self.high is not None else size if self.low is None else -self.low
            low = self.low if self.low is not None else -high
        else:
            low = self.low if self.low is not None else float(finite.min()) if len(finite) else 0.0
            high = self.high if self.high is not None else float(finite.max()) if len(finite) else low + 1.0
        return low, high if high > low else low + 1.0

    def _text(self, value: float) -> str:
        """A number as the page shows it: of zero without a sign."""
        return format(value if float(format(value, self.value_format)) else abs(value), self.value_format)

    def _summary(self, values: NDArray[np.float64], kept: tuple[int, int]) -> str:
        """A sentence of what is shown, of the extremes, and of what was left out."""
        text = ""
        if kept != values.shape:
            counts = zip(("row", "column"), kept, values.shape, strict=True)
            parts = [f"the first {some:,} of {every:,} {name}s" for name, some, every in counts if some < every]
            text = f"Shown are {' and '.join(parts)}. "
        shown = values[: kept[0], : kept[1]]
        if not np.isfinite(shown).any():
            return f"{text}No cell has a number."
        for name, find in (("Lowest", np.nanargmin), ("highest", np.nanargmax)):
            row, column = divmod(int(find(np.where(np.isfinite(shown), shown, np.nan))), shown.shape[1])
            text += f"{name} {self._text(shown[row, column])} at {self.row_labels[row]}, {self._columns()[column]}; "
        return text[:-2] + "."

    def _content(self, shown: NDArray[np.float64]) -> dict[str, object]:
        """What the script reads: the labels, and the numbers as texts, or without their points in base 64."""
        names = {"rows": list(self.row_labels[: len(shown)]), "columns": self._columns()[: shown.shape[1]]}
        texts = [self._text(value) for value in shown.ravel().tolist()]
        fixed = re.fullmatch(r"\.(\d)f", self.value_format)
        if not fixed or np.isinf(shown).any():
            return {**names, "texts": "|".join(texts)}
        numbers = [None if text == "nan" else int(text.replace(".", "")) for text in texts]
        largest = max((abs(number) for number in numbers if number is not None), default=0)
        if largest >= 2**31:
            return {**names, "texts": "|".join(texts)}
        bits = next(bits for bits in (8, 16, 32) if largest < 2 ** (bits - 1))
        missing = -(2 ** (bits - 1))
        packed = np.array([missing if number is None else number for number in numbers], f"<i{bits // 8}")
        return {**names, "digits": int(fixed[1]), "bits": bits, "numbers": base64.b64encode(packed.tobytes()).decode()}

    def _key(self, low: float, high: float) -> str:
        """The colours with the numbers of their ends and of the middle."""
        stops = ",".join(f"#{colour}" for colour in _ANCHORS[self.scale].split())
        ramp = f"linear-gradient(to right,{stops})"
        texts = "".join(f"<span>{self._text(value)}</span>" for value in (low, (low + high) / 2, high))
        return f'<div class="ramp"><i style="background:{ramp}"></i><div>{texts}</div></div>\n'


def colours(values: NDArray[np.float64], low: float, high: float, scale: str) -> NDArray[np.uint8]:
    """The colours of numbers: uint8 (rows, columns, 3), at most 256 of them.

    Args:
        values: float64 (rows, columns); NaN is grey.
        low: the number of the first colour; lower ones have it too.
        high: the number of the last colour, above `low`.
        scale: ``diverging`` or ``sequential``.
    """
    anchors = np.array([list(bytes.fromhex(colour)) for colour in _ANCHORS[scale].split()], np.float64)
    steps = np.linspace(0, len(anchors) - 1, LEVELS)
    channels = [np.interp(steps, np.arange(len(anchors)), channel) for channel in anchors.T]
    palette = np.concatenate([np.stack(channels, axis=1).round(), [_MISSING]]).astype(np.uint8)
    share = np.clip((values - low) / (high - low), 0, 1)
    levels = np.where(np.isnan(share), LEVELS, np.nan_to_num(share * (LEVELS - 1)).round()).astype(int)
    return np.asarray(palette[levels])


def _kept(rows: int, columns: int) -> tuple[int, int]:
    """The numbers of rows and columns that a page shows."""
    columns = min(columns, MOST_COLUMNS, max(ENOUGH_COLUMNS, MOST_CELLS // rows))
    return min(rows, MOST_CELLS // columns), columns


def _layout(rows: Sequence[str], columns: Sequence[str]) -> _MapLayout:
    """Sizes with which a map fills the page, and with which its labels do not meet."""
    longest = max(map(len, columns))
    side_by_side = 8.0 * longest + 8
    height = min(22.0, max(4.0, TALL / len(rows)))
    if longest <= 2 or len(columns) <= 150:  # every column has its label
        width = max(15.0, min(34.0, ROOM / len(columns)))
        layout = _MapLayout(width, height, 1, 1, longest > 1 and side_by_side > width)
    else:
        width = max(3.0, ROOM / len(columns))
        layout = _MapLayout(width, height, 1, math.ceil(side_by_side / width), False)
    every_row = math.ceil(15 / height)
    return _MapLayout(round(layout.width, 2), round(height, 2), every_row, layout.every_column, layout.is_upright)


def _labels(labels: Sequence[str], every: int) -> str:
    chosen = range(0, len(labels), every)
    return "".join(f'<span style="--at:{number}">{escape(labels[number])}</span>' for number in chosen)
