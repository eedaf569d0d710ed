"""recurra: recurrent networks from their textbook equations."""

from recurra import cells, compiler
from recurra.engines import engine
from recurra.equations import (
    Cell,
    bernoulli,
    cell,
    clip,
    concat,
    cos,
    cumsum,
    dropout,
    exp,
    eye,
    heads,
    layer_norm,
    log,
    maximum,
    mean,
    minimum,
    relu,
    rms_norm,
    scalar,
    sigmoid,
    sin,
    softmax,
    softplus,
    split,
    sqrt,
    tanh,
    where,
)
from recurra.equations import (
    abs as abs,
)
from recurra.equations import (
    max as max,
)
from recurra.equations import (
    sum as sum,
)
from recurra.errors import EngineError, EquationError, ProgramError, RecurraError

__version__ = "0.1.0"

# abs, max and sum are left out: `from recurra import *` must not hide Python's own; nor, with onnx, the package.
__all__ = [
    "Cell",
    "EngineError",
    "EquationError",
    "ProgramError",
    "RecurraError",
    "__version__",
    "accelerate",
    "bernoulli",
    "cell",
    "cells",
    "clip",
    "compiler",
    "concat",
    "convert",
    "cos",
    "cumsum",
    "dropout",
    "engine",
    "exp",
    "explain",
    "eye",
    "frozen",
    "heads",
    "layer_norm",
    "load",
    "log",
    "maximum",
    "mean",
    "minimum",
    "nn",
    "relu",
    "restore",
    "rms_norm",
    "runtime",
    "save",
    "scalar",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "tanh",
    "where",
]


def __getattr__(name: str) -> object:
    """``recurra.nn`` on first use, as it imports torch; ``recurra.explain`` and others likewise."""
    import importlib

    if name in ("nn", "onnx", "runtime"):
        return importlib.import_module(f"recurra.{name}")
    if name in ("accelerate", "frozen", "load", "restore", "save"):
        return getattr(importlib.import_module("recurra.nn"), name)
    if name == "convert":
        return importlib.import_module("recurra.runtime").convert
    if name == "explain":
        return importlib.import_module("recurra.look").explain
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")
