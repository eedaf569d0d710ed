"""What stands around recurrent layers, as programs: linear maps, norms, activations, by kind of part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recurra import equations as eq
from recurra.compiler import drop_biases, trace
from recurra.equations import Cell, feed_forward
from recurra.model import Part
from recurra.program import Program
from recurra.runtime.activations import ACTIVATIONS, gelu, gelu_tanh, prelu

Options = dict[str, Any]


@feed_forward
def _linear(x: Any, *, weight: Any, bias: Any) -> Any:
    return x @ weight.T + bias


@feed_forward
def _layer_norm(x: Any, *, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    return eq.layer_norm(x, weight, bias, eps)


@feed_forward
def _layer_norm_plain(x: Any, *, eps: float = 1e-5) -> Any:
    return eq.layer_norm(x, None, None, eps)


@feed_forward
def _rms_norm(x: Any, *, weight: Any, eps: float = 1e-5) -> Any:
    return eq.rms_norm(x, weight, eps)


@feed_forward
def _rms_norm_plain(x: Any, *, eps: float = 1e-5) -> Any:
    return eq.rms_norm(x, None, eps)


def _float(part: Part, *names: str) -> Options:
    return {name: part.number(name) for name in names}


Make = Callable[[Part, bool], Program]  # of a part, in float64 or float32


def _affine(cell: Cell, plain: Cell) -> Make:
    def program(part: Part, double: bool) -> Program:
        # torch's RMSNorm without eps takes the smallest step above 1 that the dtype knows.
        smallest = 2.0**-52 if double else 2.0**-23
        options = {"eps": smallest if part.settings["eps"] is None else part.number("eps")}
        if not part.flag("elementwise_affine"):
            return trace(plain, options)
        traced = trace(cell, options)
        return drop_biases(traced) if part.settings.get("bias") is False else traced

    return program


def _with(cell: Cell, *names: str) -> Make:
    return lambda part, double: trace(cell, _float(part, *names))


PROGRAMS: Mapping[str, Make] = {
    "Linear": lambda part, double: trace(_linear) if part.flag("bias") else drop_biases(trace(_linear)),
    "LayerNorm": _affine(_layer_norm, _layer_norm_plain),
    "RMSNorm": _affine(_rms_norm, _rms_norm_plain),
    **{kind: _with(cell, *names) for kind, (cell, *names) in ACTIVATIONS.items()},
    "PReLU": lambda part, double: trace(prelu),
    "GELU": lambda part, double: trace(gelu_tanh if part.settings["approximate"] == "tanh" else gelu),
}
