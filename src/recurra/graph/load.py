"""``load_graph``: the model of a file that holds a graph."""

from __future__ import annotations

import os
from pathlib import Path

from recurra.graph.build import build
from recurra.graph.file import read_graph
from recurra.graph.model import GraphModel
from recurra.model.file_errors import refusing


def load_graph(path: str | os.PathLike[str]) -> GraphModel:
    """Load the model of a file that holds a graph.

    Raises:
        FileFormatError: as ``read_graph``; or an operator is not supported.
    """
    model = read_graph(path)
    with refusing(path):
        return build(model, Path(os.fsdecode(path)).name)
