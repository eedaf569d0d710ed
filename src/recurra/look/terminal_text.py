"""An explanation as text for a terminal: at most 100 columns, layers of the same sizes once."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from recurra.look.explained import ExplainedLayer, ExplainedParameter, ExplainedStack, ExplainedVariable
from recurra.look.terminal_drawing import WIDTH, drawn
from recurra.look.unrolled import unrolled

_MOST_ROWS = 8  # rows of h_n that are listed; of more, the first two and those of the last layer


def stack_text(stack: ExplainedStack) -> str:
    """The facts about a cell or a layer as lines of text."""
    parts = [stack.title, *stack.notes]
    if stack.sequences:
        parts += ["", *_table(stack.sequences)]
    parts += ["", "unrolled over time" if not stack.is_cell else "one step", "", drawn(unrolled(stack))]
    if stack.relations is not None:
        parts += ["", f"{stack.program.states[0].name}_n and output", *_relations(stack)]
    seen: set[object] = set()
    for number, group in enumerate(stack.groups):
        parts += ["", *_group(group, stack.groups[0] if number else None, seen)]
    return "\n".join([*parts, "", *_costs(stack), "", *_equations(stack)])


def _equations(stack: ExplainedStack) -> list[str]:
    """The equations below the time at which they run."""
    lines = ["equations, and when they run"]
    before = ""
    for text, when in stack.equations:
        if when != before:
            lines.append(f"  {when}")
            before = when
        lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
    kind, reason = stack.loop
    return lines + textwrap.wrap(f"the loop over time is of the kind {kind!r}: {reason}", WIDTH, break_on_hyphens=False)


def _table(rows: Sequence[ExplainedVariable], seen: set[object] | None = None) -> list[str]:
    """Lines of aligned columns: name, shape in numbers, shape in symbols, and words, which are wrapped.

    Args:
        rows: the variables.
        seen: cuts of parameters that were shown before, and are not shown again; those of the rows are added.
    """
    seen = set() if seen is None else seen
    cells = [(row.name, row.numbers or row.shape, row.shape if row.numbers else "") for row in rows]
    if all(first == second or not second for _, first, second in cells):
        cells = [(name, first, "") for name, first, _ in cells]
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    lines = []
    for row, cell in zip(rows, cells, strict=True):
        columns = [f"{text:<{width}}" for text, width in zip(cell, widths, strict=True) if width]
        head = "  " + "  ".join(columns) + "  "
        words = [row.meaning, *([f"← {_short(row.origins)}"] if row.origins else [])]
        pieces = row.pieces if isinstance(row, ExplainedParameter) else ()
        if pieces and pieces not in seen:
            words.append("  ".join(f"{part} {purpose}" for part, purpose in pieces))
            seen.add(pieces)
        lines += _wrapped(head, words)
    return lines


def _short(origins: Sequence[str]) -> str:
    """Origins in one text; several that are cut in the same way are "parameters", as their table shows the cuts."""
    cuts = [origin[origin.index("[") :] for origin in origins if origin.endswith("]")]
    if len(cuts) < 2 or len(set(cuts)) > 1:
        return ", ".join(origins)
    return ", ".join([*(origin for origin in origins if not origin.endswith("]")), f"parameters{cuts[0]}"])


def _wrapped(head: str, words: Iterable[str]) -> list[str]:
    """Words behind a head, in lines of their own where they do not fit into one."""
    room = max(24, WIDTH - len(head))
    lines: list[str] = []
    for text in words:
        if lines and len(lines[-1]) + 2 + len(text) <= room:
            lines[-1] += "  " + text
        else:
            lines += textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    blank = " " * len(head)
    return [((head if number == 0 else blank) + line).rstrip() for number, line in enumerate(lines or [""])]


def _relations(stack: ExplainedStack) -> list[str]:
    found = stack.relations
    assert found is not None
    rows = list(found.rows)
    left_out = len(rows) - _MOST_ROWS
    if left_out > 0:
        ends = 2 if rows[-1].direction else 1
        rows = [*rows[:ends], *rows[-ends:]]
        left_out = len(found.rows) - len(rows)
    lines = []
    bidirectional = any(row.direction for row in found.rows)
    for row in rows:
        direction = ("backward" if row.direction else "forward ") if bidirectional else ""
        where = f"== {row.equality.right}" if row.equality else row.elsewhere
        name = row.equality.left if row.equality else f"{stack.program.states[0].name}_n{row.index}"
        lines.append((name, f"layer {row.layer} {direction}".rstrip(), row.when, where))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    texts = ["  " + "  ".join(f"{text:<{w}}" for text, w in zip(line, [*widths, 0], strict=True)) for line in lines]
    if left_out > 0:
        texts.insert(len(texts) // 2, f"  … {left_out} more rows, layer after layer")
    sentences = [line for s in found.statements for line in textwrap.wrap(s.text, WIDTH - 2, break_on_hyphens=False)]
    return [text.rstrip() for text in texts] + ["  " + line for line in sentences]


def _group(group: Sequence[ExplainedLayer], first: Sequence[ExplainedLayer] | None, seen: set[object]) -> list[str]:
    """The variables and parameters of layers of the same sizes; of upper layers what differs from the first."""
    layer = group[0]
    title = group_title(group)
    if first is None:
        return [
            title,
            *_table(layer.variables),
            *(f"  {line}" for line in backward_origins(group)),
            *_parameters(group, seen),
        ]
    known = {variable.name: variable.dimensions for variable in first[0].variables}
    other = [v for v in layer.variables if known[v.name] != v.dimensions or v is layer.variables[0]]
    return [
        f"{title}: all other variables as in layer 0",
        *_table(other),
        *_parameters(group, seen),
    ]


def _parameters(group: Sequence[ExplainedLayer], seen: set[object]) -> list[str]:
    """The parameters of layers of the same sizes; a layer that pools has none."""
    if not group[0].parameters:
        return ["  no parameters"]
    return [f"  {parameters_title(group)}", *_table(group[0].parameters, seen)]


def backward_origins(group: Sequence[ExplainedLayer]) -> list[str]:
    """Where the states of the backward direction come from; empty where a group has none."""
    back = next((layer for layer in group if layer.place is not None and layer.place.is_backward), None)
    if back is None:
        return []
    forward = {variable.name: variable for variable in group[0].variables}
    other = [v for v in back.variables if "_0[" in v.origin and v.origin != forward[v.name].origin]
    return [f"backward, {variable.name} ← {variable.origin}" for variable in other]


def group_title(group: Sequence[ExplainedLayer]) -> str:
    """The title of layers of the same sizes: ``layer 0, forward and backward``, ``layers 1 to 9``."""
    places = [layer.place for layer in group if layer.place is not None]
    if group[0].title == "one step" or not places:
        return group[0].title
    layers = sorted({place.layer for place in places})
    text = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]} to {layers[-1]}"
    return text + (", forward and backward" if any(place.is_backward for place in places) else "")


def parameters_title(group: Sequence[ExplainedLayer]) -> str:
    """The title of the parameters of layers of the same sizes, of which the first layer's are shown."""
    places = [layer.place for layer in group if layer.place is not None]
    notes = []
    layers = sorted({place.layer for place in places})
    if len(layers) > 1:
        notes.append(
            f"other layers: _l{layers[1]} to _l{layers[-1]}" if len(layers) > 2 else f"layer {layers[1]}: _l{layers[1]}"
        )
    if any(place.is_backward and not place.suffix.endswith("_reverse") for place in places):
        notes.append("backward: the same weights")
    elif any(place.is_backward for place in places):
        notes.append("backward: and then _reverse" if len(layers) > 1 else "backward: the same names and then _reverse")
    return "parameters" + (f" ({'; '.join(notes)})" if notes else "")


def _costs(stack: ExplainedStack) -> list[str]:
    """Parameters, multiply-adds and bytes of each group and of all."""
    if stack.sizes is None:
        return ["sizes are not known: explain a layer to see parameters in numbers"]
    head = ("", "parameters", "multiply-adds a step", "kept in training")
    rows = []
    for group in stack.groups:
        each = f"{_short_title(group)}, each" if len(group) > 1 else _short_title(group)
        rows.append((each, count(group[0].parameter_count), count(group[0].multiplications), size(group[0].kept)))
    if stack.between:
        rows.append(("between layers, first states", "", "", size(stack.between)))
    rows.append(("all", count(stack.parameter_count), count(stack.multiplications), size(stack.kept)))
    lines = aligned_rows([head, *rows], right=range(1, 4))
    if stack.call_multiplications is not None:
        lines.append(f"  a call on this batch: {count(stack.call_multiplications)} multiply-adds")
    kept = "kept in training: by recurra's engine on the CPU until the backward pass; weights and input not counted"
    return ["costs (a step is one step of one sequence)", *lines, *(f"  {line}" for line in textwrap.wrap(kept, 96))]


def _short_title(group: Sequence[ExplainedLayer]) -> str:
    layers = sorted({layer.place.layer for layer in group if layer.place is not None})
    if group[0].title == "one step" or not layers:
        return "one step"
    text = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]} to {layers[-1]}"
    return text + (", both directions" if any(layer.place and layer.place.is_backward for layer in group) else "")


def aligned_rows(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows in columns.

    Args:
        rows: the texts of each row.
        right: the columns that are aligned to the right. Default: none.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    to_right = set(right)
    return [
        "  "
        + "  ".join(text.rjust(w) if n in to_right else text.ljust(w) for n, (text, w) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def count(value: int | None) -> str:
    """A whole number with commas; a dash where it is not known."""
    return "–" if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Bytes in B, kB, MB or GB; a dash where they are not known."""
    if value is None:
        return "–"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}" if value < 1000 * factor else f"{value / factor:,.0f} {unit}"
    return f"{value} B"
