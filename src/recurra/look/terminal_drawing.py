"""The drawing of an unrolled network as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from recurra.look.unrolled import Floor, Lane, Unrolled

WIDTH = 100
_DOTS = 5  # columns of an arrow without a label
_NAME = 10  # the most characters of a cell's name


def drawn(network: Unrolled) -> str:
    """The drawing as lines of text: time to the right, layers upwards, each arrow with its shape.

    The second step is left out where the drawing would be too wide, then the shapes of states, then their names.

    Args:
        network: the network.
    """
    text = ""
    for candidate in (network, *_narrower(network)):
        text = _TextDrawing(candidate).text()
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


def _narrower(network: Unrolled) -> Iterator[Unrolled]:
    """The same network with less and less shown."""
    if len(network.columns) > 2:
        last = len(network.columns) - 1
        columns = (network.columns[0], None, network.columns[last])
        gap = ("", "")
        floors = tuple(
            replace(f, entering=(f.entering[0], "", f.entering[last]) if f.entering else ()) for f in network.floors
        )
        network = replace(
            network,
            columns=columns,
            floors=floors,
            inputs=(network.inputs[0], gap, network.inputs[last]),
            outputs=(network.outputs[0], gap, network.outputs[last]),
            states=(network.states[0], ""),
        )
        yield network
    for states in ("states", ""):
        network = replace(network, states=tuple(states if text else "" for text in network.states))
        yield network


class _TextDrawing:
    def __init__(self, network: Unrolled) -> None:
        self.network = network
        name = network.cell if len(network.cell) <= _NAME else f"{network.cell[: _NAME - 1]}…"
        self.box = f"[{name}]"
        lanes = [lane for floor in network.floors for lane in floor.lanes]
        self.label = max(len(lane.label) for lane in lanes)
        self.end = max(len(end) for lane in lanes for end in (lane.first, lane.last))
        self.lines: list[list[str]] = []
        self.columns = self._places()

    def text(self) -> str:
        network = self.network
        self._write_columns([name for name, _ in network.outputs])
        self._arrows([shape for _, shape in network.outputs])
        for floor in network.floors[::-1]:
            self._floor(floor)
        self._write_columns([name for name, _ in network.inputs])
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def _places(self) -> list[int]:
        """The position of the box of each column; of a column that is left out the position of its dots."""
        places = [self.label + 2 + self.end + 4 if self.label else self.end + 4]
        labelled = False
        for number in range(len(self.network.columns) - 1):
            before = 1 if self.network.columns[number] is None else len(self.box)
            gap = _DOTS
            if self.network.states[number] and not labelled:
                gap, labelled = len(self.network.states[number]) + 5, True
            places.append(places[-1] + before + max(gap, self._least_gap(number)))
        return places

    def _least_gap(self, number: int) -> int:
        """The gap at which the labels of two neighbouring columns stay apart."""
        labels = [*self.network.inputs[number], *self.network.outputs[number]]
        widest = max(len(label) for label in labels)
        return max(_DOTS, widest + 2 - len(self.box)) if self.network.columns[number] is not None else _DOTS

    def _new_line(self) -> list[str]:
        self.lines.append([])
        return self.lines[-1]

    def _put(self, line: list[str], place: int, text: str) -> None:
        line.extend(" " * (place + len(text) - len(line)))
        line[place : place + len(text)] = text

    def _write_columns(self, texts: list[str]) -> None:
        line = self._new_line()
        for place, text in zip(self.columns, texts, strict=True):
            self._put(line, place, text)

    def _arrows(self, shapes: list[str]) -> None:
        self._write_columns([f"  ↑ {shape}" if shape else "" for shape in shapes])

    def _floor(self, floor: Floor) -> None:
        if not floor.lanes:
            self._write_columns(["  ⋮" if step is not None else "" for step in self.network.columns])
            return
        for lane in floor.lanes:
            self._lane(lane)
        self._arrows(list(floor.entering))

    def _lane(self, lane: Lane) -> None:
        line = self._new_line()
        columns = self.network.columns
        self._put(line, 0, lane.label)
        left, right = (lane.last, lane.first) if lane.is_backward else (lane.first, lane.last)
        begin = self.columns[0] - 4
        self._put(line, begin - len(left), left)
        self._put(line, begin, " ←──" if lane.is_backward else " ──→")
        shown = False
        for number, (place, step) in enumerate(zip(self.columns, columns, strict=True)):
            text = "⋯" if step is None else self.box
            self._put(line, place, text)
            if number + 1 == len(columns):
                break
            label = "" if shown else self.network.states[number]
            shown = shown or bool(label)
            self._put(line, place + len(text), _arrow(self.columns[number + 1] - place - len(text), label, lane))
        self._put(line, self.columns[-1] + len(self.box), f"←── {right}" if lane.is_backward else f"──→ {right}")


def _arrow(width: int, label: str, lane: Lane) -> str:
    """An arrow of this width, with its label inside."""
    inner = f" {label} " if label else ""
    dashes = width - 1 - len(inner)
    before = dashes // 2
    line = "─" * before + inner + "─" * (dashes - before)
    return f"←{line}" if lane.is_backward else f"{line}→"
