"""``CellCheck``: what ``check(cell)`` found, as fields, as text, as plain data."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from recurra.look.cell_check.loop_facts import LoopFacts
from recurra.look.cell_check.soundness import CheckedProperty
from recurra.look.cell_check.speed import CellSpeed
from recurra.look.cell_facts import CellFacts
from recurra.look.terminal_text import size

_WIDTH, _TITLE = 100, 18  # characters of a line, and of the titles before its text
_LEAST_SHARE = 0.05  # smaller shares are within the noise of measuring


@dataclass(frozen=True)
class CellCheck:
    """The result of ``check(cell)``; ``str()`` prints it.

    Attributes:
        name: the cell's name.
        properties: what was checked, and whether it holds; the first says whether the equations can be traced.
        facts: paper, states, products and parameters; None where the equations cannot be traced, as all that follow.
        loop: what runs in the loop over time, and what leaves it.
        kept: bytes that training keeps for each step of each sequence, in float32 at the sizes of ``speed``.
        lstm_kept: the same of an LSTM.
        estimated: the work of a step over an LSTM's, by counting operations.
        speed: times beside an LSTM; None where they were not wanted.
    """

    name: str
    properties: tuple[CheckedProperty, ...]
    facts: CellFacts | None = None
    loop: LoopFacts | None = None
    kept: int | None = None
    lstm_kept: int | None = None
    estimated: float | None = None
    speed: CellSpeed | None = None

    @property
    def is_sound(self) -> bool:
        """Whether all properties hold."""
        return all(each.holds for each in self.properties)

    @property
    def verdict(self) -> str:
        """The verdict on the cell, in one sentence."""
        wrong = [each for each in self.properties if not each.holds]
        if wrong and wrong[0].name == "traces":
            return f"{self.name} is not sound: its equations cannot be traced."
        if wrong:
            return f"{self.name} is not sound: {wrong[0].text}."
        text = f"{self.name} is sound: the same on every engine, packed and in streams, with the right gradients"
        if self.speed is None:
            return f"{text}."
        inference, training = self.speed.inference_ratio, self.speed.training_ratio
        return f"{text}; it takes {inference:.2f} × the time of an LSTM in inference and {training:.2f} × in training."

    def __str__(self) -> str:
        rows = [(f"{'ok' if each.holds else 'WRONG':7}{each.name}", each.text) for each in self.properties]
        lines = [f"{self.name}", "", *_rows(rows)]
        if self.facts is not None:
            lines += ["", *_rows(self._costs())]
        return "\n".join([*lines, "", textwrap.fill(self.verdict, _WIDTH)])

    def _costs(self) -> list[tuple[str, str]]:
        """The lines on what the cell costs, each with its title."""
        assert self.facts is not None
        assert self.loop is not None
        kind = ("kind of loop", f"{self.facts.kind}: {self.facts.reason}")
        rows = [("parameters", self.facts.parameters), kind, *_loop_rows(self.loop)]
        if self.kept is not None and self.lstm_kept is not None:
            text = f"{size(self.kept)} for each step of each sequence, in float32 (LSTM {size(self.lstm_kept)})"
            rows.append(("training keeps", text))
        if self.speed is not None:
            rows += _speed_rows(self.speed, self.estimated)
        elif self.estimated is not None:
            rows.append(("speed", f"by counting operations {self.estimated:.2g} × the time of an LSTM"))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data, which ``json.dumps`` takes, with ``is_sound`` and ``verdict``."""
        return {**asdict(self), "is_sound": self.is_sound, "verdict": self.verdict}

    def _repr_html_(self) -> str:
        """The text for a notebook."""
        return f"<pre>{html.escape(str(self))}</pre>"


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Titles and texts in two columns; texts of one line are wrapped, and others stay as they are."""
    lines = []
    for title, text in rows:
        inner = text.splitlines()
        if len(inner) < 2:
            inner = textwrap.wrap(text, _WIDTH - _TITLE, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{title if number == 0 else '':{_TITLE}}{line}" for number, line in enumerate(inner)]
    return lines


def _loop_rows(loop: LoopFacts) -> list[tuple[str, str]]:
    """The lines on the loop."""
    count = len(loop.products)
    rows = []
    if count:
        order = "" if count == 1 else ", one after the other" if loop.in_a_row == count else ", side by side"
        order = f", at most {loop.in_a_row} in a row" if 1 < loop.in_a_row < count else order
        rows.append(("in each step", f"{count} product{'s' * (count > 1)}{order}; the equations have {loop.written}"))
        rows += [("", f"  {text}") for text in loop.products]
    else:
        rows.append(("in each step", "no product, elementwise equations alone"))
    for when in ("before the loop", "after the loop", "once per call"):
        found = [each for each in loop.hoisted if each.when == when]
        rows += [(when if n == 0 else "", f"{each.text}: {each.why}") for n, each in enumerate(found)]
    return rows


def _speed_rows(speed: CellSpeed, estimated: float | None) -> list[tuple[str, str]]:
    """The lines on measured times."""
    where = f"seq_len={speed.seq_len}, batch={speed.batch}, {speed.input_size} → {speed.hidden_size}"
    threads = f"{speed.threads} thread{'s' * (speed.threads > 1)}"
    pairs = [("inference", speed.inference, speed.lstm_inference), ("training", speed.training, speed.lstm_training)]
    rows = []
    if speed.in_loop is not None:
        share = f"{speed.in_loop:.0%}" if speed.in_loop >= _LEAST_SHARE else f"under {_LEAST_SHARE:.0%}"
        rows.append(("time in loop", f"{share} of a call without gradients"))
    counted = "" if estimated is None else f"; by counting operations {estimated:.2g} ×"
    rows.append(("speed", f"at {where}, {threads}, beside recurra.nn.LSTM{counted}"))
    return rows + [("", f"{name} {_ms(mine)}, LSTM {_ms(other)}: {mine / other:.2f} ×") for name, mine, other in pairs]


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{milliseconds:,.0f} ms"
