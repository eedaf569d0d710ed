"""The programs that ONNX has a node for: RNN, LSTM and GRU, with their weights in its layouts and orders of gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.cells import gru, gru_reset_before, lstm, peephole_lstm, rnn
from recurra.compiler import biases, trace
from recurra.compiler.algebra import Algebra
from recurra.compiler.match import match, whole_parameters
from recurra.equations import Cell, relu, sigmoid, tanh
from recurra.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class Packed:
    """The weights of one direction as a node takes them.

    Attributes:
        W: (gates * hidden, input).
        R: (gates * hidden, hidden).
        B: (2 * gates * hidden,), beside the input's product and then beside the state's; None without.
        P: (3 * hidden,), the peepholes; None without.
    """

    W: Array
    R: Array
    B: Array | None
    P: Array | None = None


@dataclass(frozen=True)
class Form:
    """A node that computes a cell.

    Attributes:
        operator: ``"RNN"``, ``"LSTM"`` or ``"GRU"``.
        cell: the equations.
        pack: the weights by the cell's names, in the node's layout.
        options: of the cell.
        attributes: of the node.
        activation: the node's, for one direction, where it is not the default.
    """

    operator: str
    cell: Cell
    pack: Callable[[Mapping[str, Array]], Packed]
    options: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    activation: str | None = None


def _stacked(*order: int) -> Callable[[Mapping[str, Array]], Packed]:
    """Of torch's weights, all gates in one; ``order`` are torch's places of ONNX's gates."""

    def pack(weights: Mapping[str, Array]) -> Packed:
        def ordered(name: str) -> Array:
            gates = np.split(weights[name], len(order))
            return np.concatenate([gates[place] for place in order])

        biases = None
        if "bias_ih" in weights:
            biases = np.concatenate([ordered("bias_ih"), ordered("bias_hh")])
        return Packed(ordered("weight_ih"), ordered("weight_hh"), biases)

    return pack


def _separate(gates: str, peepholes: str = "") -> Callable[[Mapping[str, Array]], Packed]:
    """Of weights by gate, ``W_i``, ``U_i``, ``b_i``, ``p_i`` …; ``gates`` are their letters in ONNX's order."""

    def pack(weights: Mapping[str, Array]) -> Packed:
        def joined(kind: str, letters: str) -> Array:
            return np.concatenate([weights[f"{kind}_{letter}"].T for letter in letters])

        biases = None
        if f"b_{gates[0]}" in weights:
            bias = joined("b", gates)
            biases = np.concatenate([bias, np.zeros_like(bias)])
        return Packed(joined("W", gates), joined("U", gates), biases, joined("p", peepholes) if peepholes else None)

    return pack


FORMS = (
    Form("LSTM", lstm, _stacked(0, 3, 1, 2)),
    Form("LSTM", peephole_lstm, _separate("iofg", peepholes="iof")),
    Form("GRU", gru, _stacked(1, 0, 2), attributes={"linear_before_reset": 1}),
    Form("GRU", gru_reset_before, _separate("zrn"), attributes={"linear_before_reset": 0}),
    *(
        Form("RNN", rnn, _stacked(0), {"nonlinearity": function}, activation=name)
        for function, name in ((tanh, None), (relu, "Relu"), (sigmoid, "Sigmoid"))
    ),
)


def find_form(program: Program) -> tuple[Form, tuple[str, ...]] | None:
    """The node that computes a program, and the names that its cell gives to the program's parameters, in order.

    Programs are compared by what they compute, on parameters laid out alike: names play no part.
    """
    algebra = Algebra(program)
    for form, template in _table():
        found = match(algebra, template)
        pairs = None if found is None else whole_parameters(found)
        if pairs is None:
            continue
        absent = set(template.program.parameters) - set(pairs)
        if not absent or absent == set(biases(template.program)):
            names = {theirs: ours.name for ours, theirs in pairs.items()}
            return form, tuple(names[parameter] for parameter in program.parameters)
    return None


@lru_cache(maxsize=1)
def _table() -> list[tuple[Form, Algebra]]:
    return [(form, Algebra(trace(form.cell, form.options))) for form in FORMS]
