"""The wiring of a model of Keras: its layers, and the calls of them that lead from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from recurra.conversion.keras_config import MAX_NODES, KerasLayer, has_numbers, is_older, keras_layer, numbered_names
from recurra.errors import RecurraError

_MODELS = ("Sequential", "Functional", "Model")
_MOST_CALLS = 20_000
_DEEPEST = 16  # models inside of models


class TensorPlace(NamedTuple):
    """A tensor of a model: which output of which call of which layer it is."""

    layer: str
    call: int
    number: int


@dataclass(frozen=True)
class KerasCall:
    """A call of a layer.

    Attributes:
        layer: the layer.
        number: the number of the call among the layer's.
        arguments: the positional arguments: places, numbers, and lists of these.
        options: the named ones.
        inner: the wiring of a model inside; None for layers.
    """

    layer: KerasLayer
    number: int
    arguments: Sequence[Any]
    options: Mapping[str, Any]
    inner: KerasNetwork | None = None

    def places(self) -> list[TensorPlace]:
        """The tensors that the call takes."""
        return [*places_of(self.arguments), *places_of(list(self.options.values()))]


@dataclass(frozen=True)
class KerasNetwork:
    """The wiring of a model.

    Attributes:
        name: the model's name.
        inputs: the input layers, in the order of the model's arguments.
        outputs: the places of its outputs.
        calls: the calls, in an order in which they can be run.
    """

    name: str
    inputs: Sequence[KerasLayer]
    outputs: Sequence[TensorPlace]
    calls: Sequence[KerasCall]


class _Form(NamedTuple):
    """The form of a file: whether Keras before version 3 wrote it, and whether its arrays have numbers for names."""

    older: bool
    numbered: bool


def places_of(value: Any) -> Iterator[TensorPlace]:
    """The places inside of arguments."""
    if isinstance(value, TensorPlace):
        yield value
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from places_of(child)


def network_of(config: Any) -> KerasNetwork:
    """The wiring that a configuration describes.

    Raises:
        RecurraError: it is not that of a Sequential or functional model, or contradicts itself.
    """
    return _network(config, _Form(is_older(config), has_numbers(config)), 0)


def _network(config: Any, form: _Form, depth: int) -> KerasNetwork:
    if depth > _DEEPEST:
        raise RecurraError(f"models inside of models, more than {_DEEPEST} deep")
    inside = config.get("config") if isinstance(config, dict) else None
    kind = str(config.get("class_name", "model"))[:60] if isinstance(config, dict) else "model"
    nodes = inside.get("layers") if isinstance(inside, dict) else inside  # a list before Keras 2.2
    if not isinstance(nodes, list) or not nodes:
        raise RecurraError(
            f"{kind} is a class of its own, whose file has weights and no list of layers: names= says which of the "
            "arrays to convert"
        )
    name = str(inside.get("name", kind))[:60] if isinstance(inside, dict) else kind
    layers = _layers(nodes, form, depth)
    if isinstance(inside, dict) and "output_layers" in inside:
        return _functional(name, nodes, layers, inside, form.older)
    return _sequential(name, layers, inside)


LayerAndModel = tuple[KerasLayer, "KerasNetwork | None"]


def _layers(nodes: Sequence[Any], form: _Form, depth: int) -> list[LayerAndModel]:
    """The layers of a model, each with its own wiring if it is a model."""
    found: list[LayerAndModel] = []
    stored = numbered_names(nodes) if form.numbered else [None] * len(nodes)
    for node, label in zip(nodes, stored, strict=True):
        layer = keras_layer(node, form.older)
        if layer is None:
            raise RecurraError("the configuration has a layer without class and settings")
        inner = None
        if layer.kind in _MODELS or "layers" in layer.settings:
            inner = _network(node, form, depth + 1)
        found.append((replace(layer, stored=label), inner))
    return found


# ---- sequential models ----


def _sequential(name: str, layers: Sequence[LayerAndModel], inside: Any) -> KerasNetwork:
    """The wiring of a chain of layers; one without an input layer gets one."""
    if layers[0][0].kind == "InputLayer":
        first, rest = layers[0][0], layers[1:]
    else:
        given = layers[0][0].settings
        shape = given.get("batch_input_shape") or given.get("batch_shape") or _built_shape(inside)
        first, rest = KerasLayer("InputLayer", f"{name}_input", {"batch_shape": shape}), layers
    place, calls = TensorPlace(first.name, 0, 0), []
    for layer, inner in rest:
        calls.append(KerasCall(layer, 0, [place], {}, inner))
        place = TensorPlace(layer.name, 0, 0)
    return KerasNetwork(name, [first], [place], calls)


def _built_shape(inside: Any) -> Any:
    return inside.get("build_input_shape") if isinstance(inside, dict) else None


# ---- functional models ----


def _functional(
    name: str, nodes: Sequence[Any], layers: Sequence[LayerAndModel], inside: Any, older: bool
) -> KerasNetwork:
    known = {layer.name: (layer, inner) for layer, inner in layers}
    if len(known) < len(layers):
        raise RecurraError(f"{name}: two layers have the same name")
    calls: dict[tuple[str, int], KerasCall] = {}
    for node, (layer, inner) in zip(nodes, layers, strict=True):
        given = node.get("inbound_nodes")
        for number, entry in enumerate(given if isinstance(given, list) else []):
            arguments, options = _arguments(entry, _Shift(known, 1 if older else 0))
            calls[layer.name, number] = KerasCall(layer, number, arguments, options, inner)
    if len(calls) > _MOST_CALLS:
        raise RecurraError(f"{name}: more than {_MOST_CALLS} calls of layers")
    inputs = [known[place.layer][0] for place in _listed(inside.get("input_layers"), _Shift(known, 0), name)]
    if any(layer.kind != "InputLayer" for layer in inputs):
        raise RecurraError(f"{name}: an input is no input layer")
    is_built_in = _Shift(known, 1, sequential=older)
    outputs = _listed(inside.get("output_layers"), is_built_in, name)
    return KerasNetwork(name, inputs, outputs, _ordered(name, calls, inputs, outputs))


@dataclass(frozen=True)
class _Shift:
    """Makes places of a configuration's numbers; those of models inside may begin with a call that is not listed.

    Attributes:
        layers: the layers by name.
        unlisted: how many calls of a model are not listed.
        sequential: whether Sequential ones have such a call, too.
    """

    layers: Mapping[str, LayerAndModel]
    unlisted: int
    sequential: bool = True

    def place(self, given: Sequence[Any]) -> TensorPlace:
        """The place that a list [layer, call, number, …] means.

        Raises:
            RecurraError: there is none.
        """
        layer, call, number = given[:3]
        if not isinstance(layer, str) or layer not in self.layers or type(call) is not int or type(number) is not int:
            raise RecurraError(f"the configuration names the output {str(given[:3])[:100]}, and there is no such layer")
        own, inner = self.layers[layer]
        if inner is not None and (self.sequential or own.kind != "Sequential"):
            call -= self.unlisted
        return TensorPlace(layer, call, number)


def _is_place(node: Any) -> bool:
    return isinstance(node, list) and len(node) >= 3 and isinstance(node[0], str) and type(node[1]) is int


def _listed(node: Any, shift: _Shift, name: str) -> list[TensorPlace]:
    """The places of a model's inputs or outputs, which may stand in lists and dictionaries."""
    found: list[TensorPlace] = []
    waiting, left = [node], MAX_NODES
    while waiting and left:
        each, left = waiting.pop(), left - 1
        if _is_place(each):
            found.append(shift.place(each))
        elif isinstance(each, (list, dict)):
            waiting += reversed(list(each.values() if isinstance(each, dict) else each))
    if not found:
        raise RecurraError(f"{name}: the configuration lists no inputs or no outputs")
    return found


def _arguments(entry: Any, shift: _Shift) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call, of Keras 3 as args and kwargs, of older ones as a list of tensors."""
    if isinstance(entry, dict):
        given = [_argument(each, shift, 0) for each in _list(entry.get("args"))]
        return given, _options(entry.get("kwargs"), shift)
    tensors = [entry] if _is_place(entry) else _list(entry)
    if not all(map(_is_place, tensors)):
        raise RecurraError(f"a call has the inputs {str(entry)[:100]}, which are no outputs of layers")
    given = [shift.place(each) for each in tensors]
    options = _options(tensors[0][3] if tensors and len(tensors[0]) > 3 else None, shift)
    return [given if len(given) > 1 else given[0]] if given else [], options


def _options(node: Any, shift: _Shift) -> dict[str, Any]:
    """The named arguments of a call."""
    return {str(key): _argument(value, shift, 0) for key, value in node.items()} if isinstance(node, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _argument(node: Any, shift: _Shift, depth: int) -> Any:
    """An argument: a place, a number, a text, a slice, or a list of these."""
    if depth > 20:
        raise RecurraError("the arguments of a call are nested more than 20 deep")
    if isinstance(node, dict):
        inside = node.get("config")
        if node.get("class_name") == "__keras_tensor__" and isinstance(inside, dict):
            history = inside.get("keras_history")
            return shift.place(history if isinstance(history, list) and _is_place(history) else [None, 0, 0])
        if node.get("class_name") == "__slice__" and isinstance(inside, dict):
            return slice(*(inside.get(key) for key in ("start", "stop", "step")))
        if node.get("class_name") == "__tuple__":
            return [_argument(each, shift, depth + 1) for each in _list(node.get("items"))]
        return {str(key): _argument(value, shift, depth + 1) for key, value in node.items()}
    if _is_place(node) and node[0] in shift.layers:
        return shift.place(node)
    if isinstance(node, list):
        return [_argument(each, shift, depth + 1) for each in node]
    return node


def _ordered(
    name: str, calls: Mapping[tuple[str, int], KerasCall], inputs: Sequence[KerasLayer], outputs: Sequence[TensorPlace]
) -> list[KerasCall]:
    """The calls that the outputs need, each behind those whose outputs it takes.

    Raises:
        RecurraError: a call takes what no layer gives, or they go round in a circle.
    """
    given = {layer.name for layer in inputs}
    done: dict[tuple[str, int], bool] = {}  # False while the calls before it are being ordered
    order: list[KerasCall] = []
    waiting = [(place.layer, place.call) for place in reversed(outputs)]
    while waiting:
        key = waiting[-1]
        if key[0] in given or done.get(key):
            waiting.pop()
            continue
        if key not in calls:
            raise RecurraError(f"{name}: call {key[1]} of {key[0][:60]} is not in the configuration")
        needed = [(place.layer, place.call) for place in calls[key].places()]
        missing = [each for each in needed if each[0] not in given and not done.get(each)]
        if not missing:
            done[key] = True
            order.append(calls[key])
            waiting.pop()
        elif key in done or len(waiting) > MAX_NODES:
            raise RecurraError(f"{name}: the layers around {key[0][:60]} go round in a circle")
        else:
            done[key] = False
            waiting += reversed(missing)
    return order
