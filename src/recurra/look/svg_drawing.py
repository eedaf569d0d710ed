"""The drawing of an unrolled network as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from zlib import crc32

from recurra.look.explained import ExplainedStack
from recurra.look.unrolled import Floor, Lane, Unrolled, unrolled

_BOX, _HEIGHT = (60.0, 34.0)  # of a cell
_FRAME = 8.0  # from the cells of both directions to the frame around them
_LETTER = 6.7  # width of a letter
_ROW = 56.0  # from a lane to the one below
_RISE = 60.0  # for the arrow between two layers
_MARGIN = 18.0
_TITLE = 26.0  # for the name of a part


def svg(stacks: Sequence[tuple[str, ExplainedStack]]) -> str:
    """The drawings of one or several parts below each other, as one SVG document, for light and dark.

    Args:
        stacks: the name of each part, empty where there is one alone, and its layers.
    """
    drawings = [(name, _SvgDrawing(unrolled(stack))) for name, stack in stacks]
    top, parts, texts = 0.0, [], []
    for name, drawing in drawings:
        if name:
            parts.append(_text(_MARGIN, top + 20, name, "name", "start"))
            top += _TITLE
        parts.append(f'<g transform="translate(0 {top:g})">{drawing.body()}</g>')
        texts.append(f"{name}: {drawing.network.description}" if name else drawing.network.description)
        top += drawing.height
    width = max(drawing.width for _, drawing in drawings)
    title = f"{', '.join(drawing.network.cell for _, drawing in drawings)}, unrolled over time"
    body = "".join(parts)
    key = f"unrolled-{crc32(body.encode()):08x}"
    style = files("recurra.look").joinpath("drawing.css").read_text("utf-8")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="unrolled" viewBox="0 0 {width:g} {top:g}" width="{width:g}" '
        f'height="{top:g}" role="img" aria-labelledby="{key}-title {key}-text"><title id="{key}-title">{escape(title)}'
        f'</title><desc id="{key}-text">{escape(" ".join(texts))}</desc><style>{style}</style>'
        f'<rect class="ground" width="{width:g}" height="{top:g}" rx="8"/>{body}</svg>'
    )


class _SvgDrawing:
    """The drawing of one network; y grows downwards, so that the highest layer comes first."""

    def __init__(self, network: Unrolled) -> None:
        self.network = network
        lanes = [lane for floor in network.floors for lane in floor.lanes]
        self.box = max(_BOX, 14 + _LETTER * len(network.cell))
        self.label = 16 + _LETTER * max(len(lane.label) for lane in lanes)
        self.ends = 44 + _LETTER * max(len(text) for lane in lanes for text in (lane.first, lane.last))
        self.columns = self._columns()
        self.width = self.columns[-1] + self.box + self.ends + _MARGIN
        self.height = self._height()

    def _columns(self) -> list[float]:
        """The left side of each column's forward cell."""
        places = [_MARGIN + self.label + self.ends]
        captions = [*self.network.inputs, *self.network.outputs]
        caption = _LETTER * max(len(text) for pair in captions for text in pair)
        for before, after, states in zip(
            self.network.columns, self.network.columns[1:], self.network.states, strict=False
        ):
            is_cut = before is None or after is None
            gap = 70.0 if is_cut else max(54 + _LETTER * len(states), caption + 30 - self.box)
            places.append(places[-1] + (0 if before is None else self.box) + gap)
        return places

    def _height(self) -> float:
        floors = self.network.floors
        lanes = sum(max(1, len(floor.lanes)) - 1 for floor in floors)
        return 2 * _MARGIN + 38 + _RISE * (len(floors) + 1) + _HEIGHT * len(floors) + _ROW * lanes

    def body(self) -> str:
        """All shapes."""
        parts = []
        y = _MARGIN + 16
        parts += [self._caption(n, y, name) for n, (name, _) in enumerate(self.network.outputs)]
        y += 6
        shapes: Sequence[str] = [shape for _, shape in self.network.outputs]
        for floor in self.network.floors[::-1]:
            parts.append(self._rise(y, y + _RISE, shapes))
            y += _RISE
            parts.append(self._floor(y, floor))
            y += _ROW * (max(1, len(floor.lanes)) - 1) + _HEIGHT
            shapes = floor.entering or shapes  # what leaves layers that are left out is what enters the one above
        parts.append(self._rise(y, y + _RISE, shapes))
        y += _RISE
        parts += [self._caption(n, y + 16, name) for n, (name, _) in enumerate(self.network.inputs)]
        return "".join(parts)

    def _middle(self, column: int) -> float:
        """The middle of a column, at which arrows between layers run."""
        return self.columns[column] + self.box / 2

    def _caption(self, column: int, y: float, text: str) -> str:
        return _text(self._middle(column), y, text, "name") if text else ""

    def _rise(self, top: float, bottom: float, shapes: Sequence[str]) -> str:
        """The arrows upwards between two layers, each with its shape."""
        parts = []
        for column, shape in enumerate(shapes):
            if shape:
                middle = self._middle(column)
                parts.append(_arrow(middle, bottom - 2, middle, top + 2))
                parts.append(_text(middle + 8, (top + bottom) / 2 + 4, shape, "shape", "start"))
        return "".join(parts)

    def _floor(self, y: float, floor: Floor) -> str:
        if not floor.lanes:
            dots = [self._middle(n) for n, step in enumerate(self.network.columns) if step is not None]
            return "".join(_text(x, y + 22, "⋮", "name") for x in dots)
        parts = []
        if len(floor.lanes) == 2:
            bottom = y + _ROW + _HEIGHT
            parts += [self._frame(n, y, bottom) for n, step in enumerate(self.network.columns) if step is not None]
        for number, lane in enumerate(floor.lanes):
            parts.append(self._lane(y + number * _ROW, lane))
        return "".join(parts)

    def _frame(self, column: int, top: float, bottom: float) -> str:
        """A frame around both directions of a step, which read the same input and give one output."""
        x, y = self.columns[column] - _FRAME, top - _FRAME
        width, height = self.box + 2 * _FRAME, bottom - top + 2 * _FRAME
        return f'<rect class="step" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10"/>'

    def _lane(self, y: float, lane: Lane) -> str:
        middle = y + _HEIGHT / 2
        parts = [_text(_MARGIN, middle + 4, lane.label, "label", "start")] if lane.label else []
        kind = "backward" if lane.is_backward else "forward"
        edges = []
        for x, step in zip(self.columns, self.network.columns, strict=True):
            if step is None:
                parts.append(_text(x, middle + 5, "⋯", "name"))
                edges.append((x - 12, x + 12))
            else:
                parts.append(
                    f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{self.box:g}" height="{_HEIGHT}" rx="6"/>'
                )
                parts.append(_text(x + self.box / 2, middle + 4, self.network.cell, "cell"))
                edges.append((x, x + self.box))
        left, right = edges[0][0] - 34, edges[-1][1] + 34
        first, last = (lane.last, lane.first) if lane.is_backward else (lane.first, lane.last)
        parts.append(_text(left - 6, middle + 4, first, "name", "end"))
        parts.append(_text(right + 6, middle + 4, last, "name", "start"))
        labels = ["", *(s if a is not None and b is not None else "" for s, a, b in self._gaps()), ""]
        ends = [left, *(edge for pair in edges for edge in pair), right]
        for number, label in enumerate(labels):
            begin, end = ends[2 * number], ends[2 * number + 1]
            parts.append(_arrow(end, middle, begin, middle) if lane.is_backward else _arrow(begin, middle, end, middle))
            if label:
                parts.append(_text((begin + end) / 2, middle - 7, label, "shape"))
        return "".join(parts)

    def _gaps(self) -> list[tuple[str, str | None, str | None]]:
        columns = self.network.columns
        return list(zip(self.network.states, columns, columns[1:], strict=False))


def _text(x: float, y: float, text: str, kind: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight arrow, to the right, to the left or upwards."""
    if x1 == x2:
        head = f"M{x2 - 4:g} {y2 + 7:g}L{x2:g} {y2:g}L{x2 + 4:g} {y2 + 7:g}"
    else:
        back = -7 if x2 > x1 else 7
        head = f"M{x2 + back:g} {y2 - 4:g}L{x2:g} {y2:g}L{x2 + back:g} {y2 + 4:g}"
    return f'<path class="arrow" d="M{x1:g} {y1:g}L{x2:g} {y2:g}{head}"/>'
