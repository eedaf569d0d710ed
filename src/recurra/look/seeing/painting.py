"""``PaintedText``: a text whose tokens are coloured by the value of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recurra.page.document import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TOKENS = 1_500  # of a page; a token takes some thirty bytes
_VISIBLE = {"\n": "↵", "\t": "⇥", "\r": "␍", " ": "␣", "": "∅"}


@dataclass(frozen=True, eq=False)
class PaintedText:
    """A text with a colour behind each token: blue below the centre, orange above, the stronger the further away.

    Pointing at a token, or the arrow keys, show its value. A page shows at most 1,500 tokens, the first ones.

    Attributes:
        title: what the values are.
        tokens: the tokens, which joined are the text.
        values: float (tokens,).
        centre: the value without colour. Default 0.
    """

    title: str
    tokens: Sequence[str]
    values: NDArray[np.floating]
    centre: float = 0.0

    style: ClassVar[str] = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    script: ClassVar[str] = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

    def __post_init__(self) -> None:
        if np.shape(self.values) != (len(self.tokens),):
            raise ValueError(
                f"there must be a value for each of {len(self.tokens)} tokens; got {np.shape(self.values)}"
            )

    def html(self) -> str:
        """The text as HTML."""
        tokens, values = self.tokens[:MOST_TOKENS], np.asarray(self.values[:MOST_TOKENS], np.float64)
        away = np.abs(values[np.isfinite(values)] - self.centre)
        bound = float(away.max(initial=0.0)) or 1.0
        shares = ((values - self.centre) / bound).tolist()
        triples = zip(tokens, values.tolist(), shares, strict=True)
        spans = "".join(_span(token, value, share) for token, value, share in triples)
        title = escape(self.title)
        rest = len(self.tokens) - len(tokens)
        left_out = f" Shown are the first {len(tokens):,} of {len(self.tokens):,} tokens." if rest else ""
        return (
            f'<figure class="painted">\n<p class="title">{title}</p>\n'
            f'<p class="readout" aria-live="polite">Point at a token, or use the arrow keys, to read its value.</p>\n'
            f'<div class="text" tabindex="0" role="application" aria-roledescription="painted text" '
            f'aria-label="{title}. The arrow keys, Home and End read it out.">{spans}</div>\n'
            f'<div class="ramp"><i></i><div><span>{self.centre - bound:.3f}</span>'
            f"<span>{self.centre:.3f}</span><span>{self.centre + bound:.3f}</span>"
            f"</div></div>\n"
            f"<figcaption>{escape(self._summary(tokens, values))}{left_out}</figcaption>\n</figure>\n"
        )

    def to_html(self) -> str:
        """The text as a page of its own."""
        return Document(self.title, [self]).html()

    def _summary(self, tokens: Sequence[str], values: NDArray[np.float64]) -> str:
        if not np.isfinite(values).any():
            return "No token has a value."
        low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
        return (
            f"Lowest {values[low]:.3f} at token {low + 1} ({visible(tokens[low])}), highest {values[high]:.3f} "
            f"at token {high + 1} ({visible(tokens[high])})."
        )


def visible(token: str) -> str:
    """A token in which white space can be seen."""
    if not token.strip():
        return "".join(_VISIBLE.get(each, each) for each in token) or _VISIBLE[""]
    return token.strip("\n\r\t ")


def _span(token: str, value: float, share: float) -> str:
    """A token as HTML, with the class of its colour, which follows from a share from -1 to 1, and its value."""
    number = f"{value:.3f}"
    shade = min(10, round(10 * abs(share))) if np.isfinite(share) else 0
    kind = f' class="{"p" if share > 0 else "n"}{shade}"' if shade else ""
    shown = escape(token).replace("\n", '<i aria-hidden="true">↵</i>\n') if token else '<i aria-hidden="true">∅</i>'
    return f'<b{kind} data-v="{number}">{shown}</b>'
