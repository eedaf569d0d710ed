"""``check_cell``: all that ``check(cell)`` finds out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recurra import cells
from recurra.compiler import plan, trace
from recurra.equations import Cell
from recurra.errors import EquationError
from recurra.look.cell_check.loop_facts import kept_bytes, loop_facts
from recurra.look.cell_check.result import CellCheck
from recurra.look.cell_check.soundness import CheckedProperty, properties
from recurra.look.cell_check.speed import estimated_ratio, measured
from recurra.look.cell_check.trials import fitting_sizes, state_names
from recurra.look.cell_facts import cell_facts


def check_cell(
    cell: Cell,
    *,
    input_size: int = 128,
    hidden_size: int = 256,
    batch: int = 32,
    seq_len: int = 100,
    seconds: float = 3.0,
    seed: int = 0,
    sizes: Mapping[str, Any] | None = None,
    **options: Any,
) -> CellCheck:
    """Check a cell; the arguments are those of ``recurra.check``.

    Raises:
        TypeError: an option that the cell does not have.
        ValueError: a number is out of range, or the cell has no state.
    """
    numbers = {"input_size": input_size, "hidden_size": hidden_size, "batch": batch, "seq_len": seq_len}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}")
    if not seconds >= 0:
        raise ValueError(f"seconds must be at least 0; got {seconds!r}")
    if not cell.states:
        raise EquationError(f"cell {cell.name!r} has no state: there is nothing to run over sequences")
    cell.resolve_options(options)
    options["sizes"] = sizes
    import torch

    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        return _checked(cell, options, input_size, hidden_size, batch, seq_len, seconds, seed)


def _checked(
    cell: Cell,
    options: dict[str, Any],
    input_size: int,
    hidden_size: int,
    batch: int,
    seq_len: int,
    seconds: float,
    seed: int,
) -> CellCheck:
    try:
        layer = fitting_sizes(cell, options, input_size, hidden_size)
        found = properties(cell, options, seed)
    except EquationError as error:
        return CellCheck(cell.name, (CheckedProperty("traces", False, str(error)),))
    from recurra.nn import LSTM

    program, numbers = layer.program, layer._scans[0].sizes
    scheduled = plan(program)
    lstm, theirs = LSTM(layer.input_size, numbers.hidden), plan(trace(cells.lstm))
    names = ", ".join(state_names(layer))
    traced = f"{len(program.equations)} operations; states {names}; {len(program.parameters)} parameters"
    return CellCheck(
        cell.name,
        (CheckedProperty("traces", True, traced), *found),
        cell_facts(cell, program),
        loop_facts(scheduled),
        kept_bytes(scheduled, numbers),
        kept_bytes(theirs, lstm._scans[0].sizes),
        estimated_ratio(scheduled, theirs, numbers),
        measured(layer, lstm, batch, seq_len, seconds) if seconds else None,
    )
