"""Recording of a module by torch.export for a graph: operations that it would record with fixed sizes are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from recurra.nn.acceleration.classes import exported_whole
from recurra.nn.running.exported_packing import all_rows, packed_rows, padded_rows


@contextmanager
def recording() -> Iterator[None]:
    """Have torch.export keep sizes free inside the block: of recurrent layers, packed sequences and pooling."""
    with exported_whole(), all_rows(), _Replacing():
        yield


def _max_pool1d(x: Tensor, kernel_size: Any, *settings: Any, **named: Any) -> Tensor:
    """Pooling over one dimension as over two: torch's own fixes the size."""

    def two(value: Any, other: int) -> Any:
        only = value if isinstance(value, int) else value[0] if len(value) else None
        return [] if only is None else [other, only]

    names = ("stride", "padding", "dilation", "ceil_mode")
    given = {**dict(zip(names, settings, strict=False)), **named}
    whole = {name: given[name] for name in ("ceil_mode",) if name in given}
    others = {"stride": 1, "padding": 0, "dilation": 1}
    sizes = {name: two(given[name], other) for name, other in others.items() if given.get(name) is not None}
    return torch.max_pool2d(x.unsqueeze(-2), two(kernel_size, 1), **sizes, **whole).squeeze(-2)


_REPLACED: Mapping[str, Callable[..., Any]] = {
    "_pack_padded_sequence": packed_rows,
    "_pad_packed_sequence": padded_rows,
    "max_pool1d": _max_pool1d,
}


class _Replacing(TorchFunctionMode):
    """Replaces functions of torch, by name."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        own = _REPLACED.get(getattr(func, "__name__", ""))
        return (own or func)(*args, **kwargs or {})
