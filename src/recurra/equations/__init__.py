"""The language of cells: ``@cell``, and the functions of its equations.

A cell describes one example at one time step.
"""

from recurra.equations.declaration import Cell, cell, feed_forward
from recurra.equations.functions import (
    FUNCTIONS,
    bernoulli,
    clip,
    concat,
    cos,
    cumsum,
    detach,
    dropout,
    erf,
    exp,
    eye,
    floor,
    gelu,
    hard_sigmoid,
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
    sign,
    sin,
    softmax,
    softplus,
    split,
    sqrt,
    tanh,
    where,
)
from recurra.equations.functions import (
    abs as abs,
)
from recurra.equations.functions import (
    max as max,
)
from recurra.equations.functions import (
    sum as sum,
)
from recurra.equations.history import delay, history

__all__ = [
    "FUNCTIONS",
    "Cell",
    "abs",
    "bernoulli",
    "cell",
    "clip",
    "concat",
    "cos",
    "cumsum",
    "delay",
    "detach",
    "dropout",
    "erf",
    "exp",
    "eye",
    "feed_forward",
    "floor",
    "gelu",
    "hard_sigmoid",
    "heads",
    "history",
    "layer_norm",
    "log",
    "max",
    "maximum",
    "mean",
    "minimum",
    "relu",
    "rms_norm",
    "scalar",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "sum",
    "tanh",
    "where",
]
