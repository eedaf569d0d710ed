"""Parts of pages: heat maps of gates and gradients, saturated units, how far the gradient reaches, and rankings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from recurra.look.seeing.painting import visible
from recurra.look.seeing.properties import Property
from recurra.look.seeing.saturation import DEFINITIONS
from recurra.look.seeing.scores import CAUTION
from recurra.look.seeing.shades import bounds, liveliest
from recurra.page.document import Document, PagePart
from recurra.page.heat_map import HeatMap
from recurra.page.line_chart import Line, LineChart
from recurra.page.parts import DataTable, Details, Section, Text

if TYPE_CHECKING:
    from recurra.look.seeing.gates import LayerGates
    from recurra.look.seeing.ranking import Units
    from recurra.look.seeing.reach import Reach

ROOM = 150_000  # bytes of a page for all its heat maps
MOST_STEPS = 120  # of a heat map
_LABEL, _CELL = 45, 4.5  # bytes of a column's label and of a cell, about
_HEIGHT = 640  # pixels of a page in a notebook


def gate_sections(
    gates: LayerGates,
    names: Sequence[str] | None = None,
    places: Sequence[tuple[int, int]] | None = None,
    also: Sequence[int] = (),
    room: int = ROOM,
) -> list[PagePart]:
    """Sections of heat maps, one for each layer and direction: units over steps, then the gradients of the states.

    Args:
        gates: the gates.
        names: the variables. Default: those that are shown.
        places: the layers and directions. Default: all.
        also: units to show besides those that change most.
        room: the bytes that all maps may take, about.
    """
    chosen = gates.values.places if places is None else places
    wanted = gates.shown if names is None else names
    keys = [(name, layer, way) for layer, way in chosen for name in wanted if (name, layer, way) in gates.values]
    slopes = [(name, *place) for place in chosen for name in gates.states if (name, *place) in gates.gradients]
    columns, cells = _sizes(room / max(1, len(keys) + 2 * len(slopes)), gates.steps)
    labels = [visible(label) for label in gates.labels[:columns]]
    sections: list[PagePart] = []
    for layer, direction in chosen:
        memory = gates.values[gates.memory(layer), layer, direction]
        units = _chosen(memory, max(1, cells // columns), also)
        maps: list[PagePart] = [
            _units_map(_title(gates, key[0]), gates.values[key], labels, units, gates.operations.get(key[0], ""))
            for key in keys
            if key[1:] == (layer, direction)
        ]
        maps += [
            _units_map(f"gradient of the loss for {key[0]}", gates.gradients[key], labels, units, None)
            for key in slopes
            if key[1:] == (layer, direction)
        ]
        sections.append(Section(gates.place_name(layer, direction).capitalize(), maps))
    return sections


def _chosen(memory: np.ndarray, count: int, also: Sequence[int]) -> list[int]:
    """The units that are wanted, and those whose memory changes most."""
    wanted = [unit for unit in also if unit < memory.shape[1]]
    lively = [unit for unit in liveliest(memory, count) if unit not in wanted]
    return sorted([*wanted, *lively[: max(0, count - len(wanted))]])


def _title(gates: LayerGates, name: str) -> str:
    bounded = {"sigmoid": "gate, 0 closed to 1 open", "tanh": "−1 to 1"}
    kind = "state" if name in gates.states else bounded.get(gates.operations.get(name, ""), "")
    return f"{name} ({kind})" if kind else name


def _units_map(
    title: str, values: np.ndarray, labels: Sequence[str], units: Sequence[int], operation: str | None
) -> HeatMap:
    """A heat map of some units; of gradients the operation is None."""
    width = values.shape[1]
    units = [unit for unit in units if unit < width]
    some = f": {len(units)} of {width} units, those whose state changes most" if len(units) < width else ""
    low, high = bounds(values[: len(labels)], operation or "")
    return HeatMap(
        title + some,
        values[: len(labels), units].T,
        [f"unit {unit}" for unit in units],
        labels,
        scale="sequential" if operation == "sigmoid" else "diverging",
        low=low,
        high=high,
        value_format=".1e" if operation is None else ".3f",
    )


def _sizes(room: float, steps: int) -> tuple[int, int]:
    """The columns and the cells of a map that may take so many bytes."""
    columns = max(1, int(min(steps, MOST_STEPS, room / 2 / _LABEL)))
    return columns, max(columns, int((room - columns * _LABEL) / _CELL))


def saturation_section(gates: LayerGates) -> Section:
    """The shares of saturated steps, and the numbers of saturated and dead units."""
    rows = []
    for each in gates.saturation:
        shares = (f"{each.low.mean():.1%}", f"{each.high.mean():.1%}", str(int(each.saturated.sum())))
        rows.append(
            (
                f"{each.name}, {gates.place_name(each.layer, each.direction)}",
                *(shares if each.can_saturate else ("–", "–", "–")),
                str(int(each.dead.sum())),
                str(len(each.dead)),
            )
        )
    head = ("variable", "steps low", "steps high", "saturated units", "dead units", "units")
    return Section(
        "Saturated and dead units", [DataTable("", head, rows), Details("Definitions", [Text([DEFINITIONS])])]
    )


def reach_section(reach: Reach) -> Section:
    """How far back the gradient reaches: the norms of ∂h_T/∂s_t on a logarithmic axis."""
    several = len(reach.names) > 1
    lines = []
    for (name, state), norms in reach.norms.items():
        first = next(own for each, own in reach.norms if each == name) == state
        label = f"∂h_T/∂{state}_t" + (f", {name}" if several else "")
        back = np.arange(len(norms))
        lines.append(Line(label, back, norms[::-1], "solid" if first else "dashed"))
    sentences = [
        f"{name}: above 1 % of the norm at T up to {reach.steps_back(name)} of {len(reach[name]) - 1} steps back."
        for name in reach.names
    ]
    how = "exact, by autograd" if reach.samples is None else f"estimated with {reach.samples} random vectors"
    title = f"{reach.norm.capitalize()} norm of ∂h_T/∂s_t ({how})"
    chart = LineChart(title, lines, "steps back from T", "norm", log_y=True)
    return Section("How far back the gradient reaches", [chart, Text(sentences)])


def ranking_section(units: Units, count: int = 3) -> Section:
    """The best units of each property, with what chance gives."""
    head = ("property", "unit", "score", "held out", "by chance", "")
    rows = [
        (_said(ranking.what), *ranking.row(unit)[1:])
        for ranking in units.rankings.values()
        for number, unit in enumerate(ranking.units[:count])
        if not number or unit.follows
    ]
    parts: list[PagePart] = []
    if rows:
        parts.append(DataTable(f"Units that follow a property, over {units.steps:,} steps", head, rows))
    if units.left_out:
        left_out = [f"{name}: {reason}." for name, reason in units.left_out.items()]
        parts.append(Details("Properties of which nothing can be said here", [Text(left_out)]))
    parts.append(Details("How to read the scores", [Text([CAUTION])]))
    return Section("Units by what they follow", parts)


def _said(what: Property) -> str:
    """A property by its meaning, and by its name if that is not in it."""
    return what.meaning if what.name in what.meaning else f"{what.name}: {what.meaning}"


def gates_page(gates: LayerGates) -> Document:
    """The page of gates alone."""
    lead = [f"{gates.steps:,} steps. Rows are units, columns steps."]
    return Document(gates.title, [*gate_sections(gates), saturation_section(gates)], lead)


def in_notebook(page: Document, height: int = _HEIGHT) -> str:
    """A page as a notebook shows it: in a frame of its own, so that its style stays inside."""
    return (
        f'<iframe srcdoc="{escape(page.html())}" title="{escape(page.title)}" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
    )
