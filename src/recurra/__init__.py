"""recurra: recurrent networks from their textbook equations."""

from typing import TYPE_CHECKING

from recurra import compiler
from recurra.engines import compute, engine
from recurra.equations import (
    Cell,
    bernoulli,
    cell,
    clip,
    concat,
    cos,
    cumsum,
    delay,
    detach,
    dropout,
    erf,
    exp,
    eye,
    floor,
    gelu,
    hard_sigmoid,
    heads,
    history,
    layer_norm,
    log,
    maximum,
    mean,
    minimum,
    relu,
    rms_norm,
    scalar,
    sigmoid,
    sign,
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
from recurra.version import __version__ as __version__

if TYPE_CHECKING:  # imported on first use
    from recurra import cells, look, nn, runtime
    from recurra import onnx as onnx
    from recurra.look.check import check
    from recurra.look.explain import explain
    from recurra.nn import load, save
    from recurra.nn.acceleration.accelerate import accelerate, restore
    from recurra.nn.frozen import frozen
    from recurra.nn.quantized import quantize
    from recurra.runtime.convert import convert
    from recurra.tasks.series.forecaster import Forecaster
    from recurra.tasks.text.language_model import LanguageModel


# abs, max, sum and onnx are left out: `from recurra import *` must not hide Python's functions, nor the package onnx.
__all__ = [
    "Cell",
    "EngineError",
    "EquationError",
    "Forecaster",
    "LanguageModel",
    "ProgramError",
    "RecurraError",
    "__version__",
    "accelerate",
    "bernoulli",
    "cell",
    "cells",
    "check",
    "clip",
    "compiler",
    "compute",
    "concat",
    "convert",
    "cos",
    "cumsum",
    "delay",
    "detach",
    "dropout",
    "engine",
    "erf",
    "exp",
    "explain",
    "eye",
    "floor",
    "frozen",
    "gelu",
    "hard_sigmoid",
    "heads",
    "history",
    "layer_norm",
    "load",
    "log",
    "look",
    "maximum",
    "mean",
    "minimum",
    "nn",
    "quantize",
    "relu",
    "restore",
    "rms_norm",
    "runtime",
    "save",
    "scalar",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "tanh",
    "where",
]


def __getattr__(name: str) -> object:
    """Import on first use: ``recurra.nn`` and the modules that import it need torch, the others take time."""
    import importlib

    if name in ("cells", "look", "nn", "onnx", "runtime"):
        return importlib.import_module(f"recurra.{name}")
    if name in ("accelerate", "frozen", "load", "quantize", "restore", "save"):
        return getattr(importlib.import_module("recurra.nn"), name)
    if name == "convert":
        return importlib.import_module("recurra.runtime").convert
    if name in ("Forecaster", "LanguageModel"):
        return getattr(importlib.import_module("recurra.tasks"), name)
    if name in ("check", "explain"):
        return getattr(importlib.import_module("recurra.look"), name)
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")
