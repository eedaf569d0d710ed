"""Sources made into kernels.

Triton reads a kernel's source by its file name, so that a text needs one in ``linecache``.

Compiled kernels are kept by Triton, on disk (``TRITON_CACHE_DIR``), by source, options and kind of device.
"""

from __future__ import annotations

import hashlib
import linecache
from typing import Any


def load(name: str, text: str) -> Any:
    """Return the kernel of this name in a source."""
    file = f"<recurra triton {name} {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module: dict[str, Any] = {"__name__": "recurra.engines.triton.made"}
    exec(compile(text, file, "exec"), module)
    return module[name]
