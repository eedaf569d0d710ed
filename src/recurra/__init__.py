"""recurra: recurrent networks from their textbook equations."""

from recurra import cells, compiler
from recurra.engines import engine
from recurra.equations import (
    Cell,
    abs,
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
    max,
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
    sum,
    tanh,
    where,
)
from recurra.errors import EngineError, EquationError, ProgramError, RecurraError

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "EngineError",
    "EquationError",
    "ProgramError",
    "RecurraError",
    "__version__",
    "abs",
    "bernoulli",
    "cell",
    "cells",
    "clip",
    "compiler",
    "concat",
    "cos",
    "cumsum",
    "dropout",
    "engine",
    "exp",
    "explain",
    "eye",
    "heads",
    "layer_norm",
    "log",
    "max",
    "maximum",
    "mean",
    "minimum",
    "nn",
    "relu",
    "rms_norm",
    "scalar",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "sum",
    "tanh",
    "where",
]


def __getattr__(name: str) -> object:
    """``recurra.nn`` on first use, as it imports torch; ``recurra.explain`` likewise."""
    import importlib

    if name == "nn":
        return importlib.import_module("recurra.nn")
    if name == "explain":
        return importlib.import_module("recurra.look").explain
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")
