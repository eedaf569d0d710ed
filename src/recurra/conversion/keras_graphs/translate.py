"""``keras_graph``: a model of Keras as a graph, from its configuration and its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_config import KerasLayer
from recurra.conversion.keras_graphs import rules  # noqa: F401  (fills the table)
from recurra.conversion.keras_graphs.ends import finished, input_of
from recurra.conversion.keras_graphs.naming import LayerNames
from recurra.conversion.keras_graphs.network import KerasCall, KerasNetwork, TensorPlace
from recurra.conversion.keras_graphs.table import RULES, LayerWeights, RuleCall, values_in
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter
from recurra.errors import EquationError, RecurraError
from recurra.graph.graph import ModelGraph

_MOST_CALLS = 20_000
_SHOWN = 20  # facts in one message
_NO_EFFECT = ("training",)  # arguments that change nothing when a model is used
_EACH_STEP = ("Dense", "Activation", "Dropout", "LeakyReLU", "ReLU", "ELU")  # TimeDistributed changes nothing of these


def keras_graph(arrays: Arrays, network: KerasNetwork, notes: list[str]) -> ModelGraph:
    """Make the graph of a whole model.

    Args:
        arrays: the arrays of the file.
        network: the wiring of the model.
        notes: gets a text for everything that the graph does otherwise than Keras.

    Raises:
        RecurraError: layers are not converted, all of which the message names, or the configuration contradicts itself.
    """
    unknown = _unknown(network)
    if unknown:
        raise RecurraError(
            f"layers that are not converted: {_listing(unknown)}; names= says which of the arrays to convert alone"
        )
    translator = _KerasTranslator(arrays, notes)
    writer = translator.writer
    declared = [input_of(layer, network, writer) for layer in network.inputs]
    given = [value for _, value in declared]
    results = translator.run(network, given, ())
    if translator.problems or results is None:
        more = len(translator.problems) - _SHOWN
        facts = "; ".join(translator.problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise RecurraError(f"the model cannot be converted: {facts}")
    return finished(writer, network, [declaration for declaration, _ in declared], results)


def _unknown(network: KerasNetwork) -> dict[str, list[str]]:
    """The names of the layers that have no rule by their class, also in models inside."""
    found: dict[str, dict[str, None]] = {}
    waiting, seen = [network], {id(network)}
    while waiting:
        for call in waiting.pop().calls:
            if call.inner is not None:
                waiting += [call.inner] if id(call.inner) not in seen else []
                seen.add(id(call.inner))
            elif _core(call.layer).kind not in RULES:
                found.setdefault(_core(call.layer).kind[:60], {})[call.layer.name[:60]] = None
    return {kind: list(names) for kind, names in found.items()}


def _listing(unknown: Mapping[str, Sequence[str]]) -> str:
    """Classes with counts and names: ``Lambda ×2 (cut, join)``."""
    texts = []
    for kind, names in list(unknown.items())[:_SHOWN]:
        count = f" ×{len(names)}" if len(names) > 1 else ""
        texts.append(f"{kind}{count} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})")
    more = len(unknown) - _SHOWN
    return ", ".join(texts) + (f" and {more} more classes" if more > 0 else "")


def _core(layer: KerasLayer) -> KerasLayer:
    """The layer whose rule is needed: that inside of a TimeDistributed."""
    return layer.inner if layer.kind == "TimeDistributed" and layer.inner is not None else layer


class _KerasTranslator:
    """Writes the graph of a model.

    Args:
        arrays: the arrays of the file.
        notes: gets a text for everything that the graph does otherwise than Keras.

    Attributes:
        writer: the writer of nodes.
        problems: texts about layers that cannot be written.
    """

    def __init__(self, arrays: Arrays, notes: list[str]) -> None:
        doubles = any(str(getattr(value, "dtype", "")) == "float64" for value in arrays.values.values())
        self.writer = KerasWriter(np.dtype(np.float64 if doubles else np.float32))
        self._arrays, self._names, self._notes = arrays, LayerNames(arrays), notes
        self.problems: list[str] = []
        self._calls = 0

    def run(self, network: KerasNetwork, given: Sequence[KerasValue], around: tuple[KerasLayer, ...]) -> Any:
        """Write the calls of a model, and return its outputs; None where some cannot be written."""
        if len(given) != len(network.inputs):
            self.problems.append(f"{network.name} takes {len(network.inputs)} inputs and gets {len(given)}")
            return None
        known = {TensorPlace(layer.name, 0, 0): value for layer, value in zip(network.inputs, given, strict=True)}
        for call in network.calls:
            places = call.places()
            if all(place in known for place in places):
                results = self._called(call, known, around)
                known.update({TensorPlace(call.layer.name, call.number, n): each for n, each in enumerate(results)})
            elif not self.problems:
                lost = next(place for place in places if place not in known)
                self.problems.append(f"{call.layer.name[:60]} takes output {lost.number} of {lost.layer[:60]}")
        missing = [place for place in network.outputs if place not in known]
        if missing and not self.problems:
            self.problems.append(f"{network.name} has no output {missing[0].number} of {missing[0].layer[:60]}")
        return None if missing else [known[place] for place in network.outputs]

    def _called(self, call: KerasCall, known: Mapping[TensorPlace, KerasValue], around: tuple[KerasLayer, ...]) -> Any:
        """The outputs of a call; none where it cannot be written."""
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise RecurraError(f"the model has more than {_MOST_CALLS} calls of layers")
        arguments = _resolved(list(call.arguments), known)
        if call.inner is not None:
            return self.run(call.inner, values_in(arguments), (*around, call.layer)) or []
        options = {
            key: _resolved(value, known)
            for key, value in call.options.items()
            if value is not None and key not in _NO_EFFECT
        }
        layer = call.layer
        self.writer.label = "/".join(each.name for each in (*around, layer))[:200] or layer.kind
        weights = LayerWeights(self._arrays, self._names.of(layer, around))
        try:
            return self._written(RuleCall(layer, arguments, options, weights, self._notes))
        except EquationError:
            raise
        except (RecurraError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            self.problems.append(f"{layer.name[:60]} ({layer.kind[:60]}): {str(problem)[:300]}")
            return []

    def _written(self, call: RuleCall) -> list[KerasValue]:
        """Write a layer by its rule; that of one inside of a TimeDistributed sees each step as a sequence."""
        layer, writer = call.layer, self.writer
        if layer.kind != "TimeDistributed" or layer.inner is None:
            results = RULES[layer.kind](writer, call)
            return results if isinstance(results, list) else [results]
        inner, x = layer.inner, call.x
        if inner.kind in _EACH_STEP:
            return self._written(RuleCall(inner, call.arguments, {}, call.weights, call.notes))
        if x.rank < 3 or len(call.values) != 1:
            raise ValueError(f"TimeDistributed needs one input (batch, steps, …) of 3 or more dimensions, not {x.rank}")
        rest = writer.node("Shape", x.name, start=2)
        flat = writer.node("Reshape", x.name, writer.node("Concat", writer.whole(-1), rest, axis=0))
        inside = KerasValue(flat, (None, *x.shape[2:]), kind=x.kind)
        (y,) = self._written(RuleCall(inner, [inside], {}, call.weights, call.notes))
        steps, rest = writer.node("Shape", x.name, end=2), writer.node("Shape", y.name, start=1)
        whole = writer.node("Reshape", y.name, writer.node("Concat", steps, rest, axis=0))
        return [KerasValue(whole, (None, x.shape[1], *y.shape[1:]), x.mask, y.kind)]


def _resolved(value: Any, known: Mapping[TensorPlace, KerasValue]) -> Any:
    """Arguments with values in the place of places."""
    if isinstance(value, TensorPlace):
        return known[value]
    return [_resolved(each, known) for each in value] if isinstance(value, list) else value
