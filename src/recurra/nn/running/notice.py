"""The log's notice that a module runs step by step on a device where other modules run faster."""

from __future__ import annotations

import logging

from recurra.engines import Engine, asked

_logger = logging.getLogger("recurra")


def is_slow(engine: Engine, device: str) -> bool:
    """Whether a call runs in a loop of torch's operations on a device, and nobody asked for that."""
    return engine.name == "reference" and device not in ("cpu", "meta") and asked() == "auto"


def announce(kind: str, cell: str, device: str, resets: bool, traced: bool) -> None:
    """Say that a module runs step by step, and what would be faster."""
    options = [name for name, is_used in (("reset=", resets), ("return_trace=True", traced)) if is_used]
    faster = f"without {' and '.join(options)}, or " if options else ""
    _logger.warning(
        "%s of cell %r runs step by step in torch's operations on %s; %sLSTM, GRU and RNN on torch's fused layers, or "
        "any cell on the CPU, would be faster",
        kind, cell, device, faster,
    )  # fmt: skip
