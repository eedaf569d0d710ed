"""`recurra check`: whether a cell's equations are sound, what they cost, and how fast they are beside an LSTM."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from recurra.cli.cell_names import cell_of
from recurra.cli.explain import Batch, Json, Seq

_HELP = "A cell by name, or one of your own as FILE.py:NAME."
CellName = Annotated[str, typer.Argument(metavar="CELL", help=_HELP)]
TimedInput = Annotated[int, typer.Option(min=1, help="Features of the input, for the times.")]
TimedHidden = Annotated[int, typer.Option(min=1, help="Features of the hidden state, for the times.")]
Seconds = Annotated[float, typer.Option(min=0, help="Time for measuring speed; 0 leaves it out.")]
Seed = Annotated[int, typer.Option(help="Seed of the random sizes and numbers.")]


def check(
    cell: CellName,
    input_size: TimedInput = 128,
    hidden_size: TimedHidden = 256,
    batch: Batch = 32,
    seq: Seq = 100,
    seconds: Seconds = 3.0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Check a cell: engines, gradients, packed, streams; products, hoisting, memory, speed. Exit code 1: not sound."""
    target = cell_of(cell)
    from recurra.look import check as checked

    found = checked(
        target, input_size=input_size, hidden_size=hidden_size, batch=batch, seq_len=seq, seconds=seconds, seed=seed
    )
    print(json.dumps(found.to_dict(), ensure_ascii=False, indent=2) if as_json else found)
    if not found.is_sound:
        raise typer.Exit(1)
