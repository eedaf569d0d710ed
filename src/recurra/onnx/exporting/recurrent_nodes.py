"""ONNX's RNN, LSTM and GRU: the programs that they compute, and weights in their layouts and orders of gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from recurra.cells import gru, gru_reset_before, lstm, peephole_lstm, rnn
from recurra.compiler import biases, trace
from recurra.compiler.algebra import Algebra
from recurra.compiler.match import match, whole_parameters
from recurra.equations import Cell, relu, sigmoid, tanh
from recurra.model.layouts import ONNX, GateLayout
from recurra.onnx.exporting.graph import Array
from recurra.program import Program


@dataclass(frozen=True)
class NodeWeights:
    """The weights of one direction, in the layout that a node takes.

    Attributes:
        W: (gates * hidden, input).
        R: (gates * hidden, hidden).
        B: (2 * gates * hidden,), biases of the input's product and then of the state's; None if there are none.
        P: (3 * hidden,), the peepholes; None if there are none.
    """

    W: Array
    R: Array
    B: Array | None
    P: Array | None = None


@dataclass(frozen=True)
class RecurrentNode:
    """A node that computes a cell.

    Attributes:
        operator: ``"RNN"``, ``"LSTM"`` or ``"GRU"``.
        cell: the equations.
        options: the cell's options.
        attributes: the node's attributes.
        activation: the name of the node's activation, for one direction; None for the default.
    """

    operator: str
    cell: Cell
    options: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    activation: str | None = None

    @property
    def program(self) -> Program:
        """The traced cell."""
        return trace(self.cell, self.options)

    def pack(self, weights: Mapping[str, Array]) -> NodeWeights:
        """The weights of one direction, by the cell's names, in the node's layout."""
        layout = GateLayout.of(self.program)
        assert layout is not None, "the cells of the table have one"
        return (_stacked if layout.is_stacked else _separate)(layout, ONNX.gates[self.operator], weights)


def _stacked(layout: GateLayout, gates: str, weights: Mapping[str, Array]) -> NodeWeights:
    """Pack weights that hold all gates in one matrix."""

    def ordered(name: str) -> Array:
        blocks = dict(zip(layout.gates, np.split(weights[name], len(gates)), strict=True))
        return np.concatenate([blocks[gate] for gate in gates])

    biases = np.concatenate([ordered("bias_ih"), ordered("bias_hh")]) if "bias_ih" in weights else None
    return NodeWeights(ordered("weight_ih"), ordered("weight_hh"), biases)


def _separate(layout: GateLayout, gates: str, weights: Mapping[str, Array]) -> NodeWeights:
    """Pack weights with a matrix for each gate: ``W_i``, ``U_i``, ``b_i``, ``p_i`` …"""

    def joined(kind: str, letters: str) -> Array:
        return np.concatenate([weights[kind + letter].T for letter in letters])

    biases = None
    if f"b_{gates[0]}" in weights:
        bias = joined("b_", gates)
        biases = np.concatenate([bias, np.zeros_like(bias)])
    peepholes = joined("p_", ONNX.peepholes) if f"p_{ONNX.peepholes[0]}" in weights else None
    return NodeWeights(joined("W_", gates), joined("U_", gates), biases, peepholes)


NODES = (
    RecurrentNode("LSTM", lstm),
    RecurrentNode("LSTM", peephole_lstm),
    RecurrentNode("GRU", gru, attributes={"linear_before_reset": 1}),
    RecurrentNode("GRU", gru_reset_before, attributes={"linear_before_reset": 0}),
    *(
        RecurrentNode("RNN", rnn, {"nonlinearity": function}, activation=name)
        for function, name in ((tanh, None), (relu, "Relu"), (sigmoid, "Sigmoid"))
    ),
)


def find_node(program: Program) -> tuple[RecurrentNode, tuple[str, ...]] | None:
    """Find the node that computes a program; None if there is none.

    Programs are compared by what they compute, on parameters that are laid out alike. Names do not matter.

    Returns:
        the node, and the names that its cell gives to the program's parameters, in their order.
    """
    algebra = Algebra(program)
    for node, template in _table():
        found = match(algebra, template)
        pairs = None if found is None else whole_parameters(found)
        if pairs is None:
            continue
        absent = set(template.program.parameters) - set(pairs)
        if not absent or absent == set(biases(template.program)):
            names = {theirs: ours.name for ours, theirs in pairs.items()}
            return node, tuple(names[parameter] for parameter in program.parameters)
    return None


@lru_cache(maxsize=1)
def _table() -> list[tuple[RecurrentNode, Algebra]]:
    return [(node, Algebra(node.program)) for node in NODES]
