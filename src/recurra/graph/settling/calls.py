"""The settled calls that a model keeps, by the shapes and dtypes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.engines import step_maker
from recurra.graph.running import RunnableGraph
from recurra.graph.settling.settle import ChangedShapeError, SettledCall, settle
from recurra.graph.table import Array

_MOST = 16  # sets of shapes that are kept; then the oldest is dropped
_LARGEST = 2**28  # bytes of one settled call that is kept


class SettledCalls:
    """Runs a graph by settled calls. Threads that call at a time have one each.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: RunnableGraph) -> None:
        self._graph = graph
        # Of each set of shapes, the calls that no thread uses at present; None where shapes depend on numbers.
        self._free: dict[Any, list[SettledCall] | None] = {}

    def run(self, feeds: Mapping[str, Any]) -> list[Array] | None:
        """All outputs for these inputs, new arrays; None if there is no settled call for their shapes and dtypes."""
        key = _key(feeds)
        free = self._free.get(key) if key is not None else None
        if not free:
            return None
        try:
            call = free.pop()
        except IndexError:  # another thread has taken it
            return None
        try:
            results = call(feeds)
        except ChangedShapeError:
            self._free[key] = None
            return None
        free.append(call)
        return results

    def begin(self, given: Mapping[str, Array]) -> list[Array] | None:
        """All outputs for these inputs, new arrays, by a settled call that later calls of their shapes use.

        Args:
            given: all inputs as arrays, also those that the caller left out.

        Returns:
            None if the graph cannot be settled.

        Raises:
            OnnxError: an operator refuses its inputs.
        """
        key, maker = _key(given), step_maker()
        if maker is None or self._free.get(key, ()) is None:
            return None
        found = self.run(given)
        if found is not None:
            return found
        try:
            with np.errstate(all="ignore"):
                call = settle(self._graph, given, maker)
        except ChangedShapeError:
            self._free[key] = None
            return None
        results = call.results()
        if call.nbytes <= _LARGEST:
            free = self._free.setdefault(key, [])
            if free is not None:
                free.append(call)
        while len(self._free) > _MOST:
            self._free.pop(next(iter(self._free)), None)
        return results


def _key(feeds: Mapping[str, Any]) -> Any:
    """Names, shapes and dtypes of the inputs, and what computes; None if an input is no array of numpy."""
    arrays = [(name, array.shape, array.dtype) for name, array in feeds.items() if type(array) is np.ndarray]
    return (tuple(arrays), step_maker()) if len(arrays) == len(feeds) else None
