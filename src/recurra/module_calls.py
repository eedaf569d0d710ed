"""Torch modules that a cell's equations call, found for messages without an import of torch."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from types import CodeType, FrameType

_INSTEAD = {
    "Linear": "write `x @ W + b`, with W and b as parameters behind the star",
    "Embedding": "tokens go through it before the layer: recurra.nn.Stack(embedding, layer)",
    "Identity": "leave it out",
}


def fault_of_module(frames: Iterable[FrameType], functions: Collection[str]) -> str:
    """The fault that a cell's equations call a module, and what to write instead; empty where they call none.

    Args:
        frames: the calls that the cell's function has made, the first one first.
        functions: the functions of the cell language.
    """
    library = sys.modules.get("torch.nn")
    called = (frame.f_locals.get("self") for frame in frames if library is not None)
    module = next((type(each).__name__ for each in called if library and isinstance(each, library.Module)), None)
    if module is None:
        return ""
    return (
        f"the equations call a module, {module}, but a layer knows only the weights that its cell names: "
        f"{_instead(module, functions)}"
    )


def calls_from(code: CodeType) -> list[FrameType]:
    """The running calls that a function has made, the first one first; none if it does not run.

    Args:
        code: the function's code.
    """
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame is not None and frame.f_code is not code:
        found.append(frame)
        frame = frame.f_back
    return [] if frame is None else found[::-1]


def _instead(module: str, functions: Collection[str]) -> str:
    own = {name.replace("_", ""): name for name in functions}.get(module.lower())
    if own is not None:
        return f"write recurra's `{own}(…)`"
    return _INSTEAD.get(
        module, "write its equations, with its weights as parameters behind the star; or call another @recurra.cell"
    )
