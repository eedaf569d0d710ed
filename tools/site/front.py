"""The live shapes on the front page: a page of its own beside the others, shown in a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_FILE = "live-shapes.html"
_FRAME = f"""\
## The shapes of a layer

<iframe class="live-shapes" src="{_FILE}" title="Shapes of a recurrent layer, with controls for its sizes"></iframe>

<p><a href="{_FILE}">Open it alone</a>, or write one for your own layer:
<code>recurra explain lstm --html shapes.html</code>.</p>
"""


def frame() -> str:
    """The part of the front page that shows the live page."""
    return _FRAME


def _write(app: Any) -> None:
    from recurra import cells
    from recurra.look.layer_sizes import LayerSizes
    from recurra.look.live_page import live_page

    start = LayerSizes(cells.lstm, 10, 20, num_layers=2, bidirectional=True, seq_len=5, batch=3)
    Path(app.outdir).mkdir(parents=True, exist_ok=True)
    (Path(app.outdir) / _FILE).write_text(live_page(start), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
