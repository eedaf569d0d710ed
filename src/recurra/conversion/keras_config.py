"""Layers of a model of Keras, from its configuration: their kinds, settings and order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.errors import RecurraError

MAX_NODES = 1_000_000  # of a configuration's tree
VERSION = "keras_version"  # a key that a configuration gets when it is read
WRAPPERS = ("Bidirectional", "TimeDistributed")
_LINEAR = ("linear", None)


@dataclass(frozen=True)
class KerasLayer:
    """A layer of a model.

    Attributes:
        kind: its class, such as LSTM or Bidirectional.
        name: its name in the model.
        settings: its settings, by Keras' names.
        inputs: the names of the layers whose outputs it takes; None where the configuration does not say.
        is_older: whether Keras before version 3 wrote it, whose hard_sigmoid has another slope.
        inner: the layer that a Bidirectional or TimeDistributed wraps; None for others.
    """

    kind: str
    name: str
    settings: Mapping[str, Any]
    inputs: Sequence[str] | None = None
    is_older: bool = False
    inner: KerasLayer | None = None

    @property
    def core(self) -> KerasLayer:
        """The layer that computes: the wrapped one of a wrapper."""
        return self if self.inner is None else self.inner

    def activation(self, setting: str, usual: str) -> str:
        """The name of an activation among the settings, ``"linear"`` for none."""
        given = self.settings.get(setting, usual)
        if isinstance(given, dict):  # an object: its class, or a function by its name
            config, kind = given.get("config"), given.get("class_name")
            given = config if kind == "function" and isinstance(config, str) else kind
        return "linear" if given in _LINEAR else str(given).lower().replace("_", "")[:60]


def layers_of(config: Any) -> dict[str, KerasLayer]:
    """All layers of a configuration by name, also those of models inside of it."""
    found: dict[str, KerasLayer] = {}
    is_older = _is_older(config)
    waiting, left = [config], MAX_NODES
    while waiting and left:
        node, left = waiting.pop(), left - 1
        if isinstance(node, dict):
            layer = _layer(node, is_older)
            if layer is not None:
                found.setdefault(layer.name, layer)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found


def chain_of(config: Any) -> list[KerasLayer]:
    """The layers of a model, each of which takes the output of the one before it.

    Raises:
        RecurraError: the configuration is not that of such a model.
    """
    inside = config.get("config") if isinstance(config, dict) else None
    nodes = inside.get("layers") if isinstance(inside, dict) else inside
    layers = [_layer(node, _is_older(config)) for node in nodes] if isinstance(nodes, list) else []
    known = [layer for layer in layers if layer is not None]
    if not known or len(known) < len(layers):
        raise RecurraError("the configuration has no list of layers: names= says which of the arrays to convert")
    previous: str | None = None
    for layer in known:
        if layer.inputs is not None and previous is not None and list(layer.inputs) != [previous]:
            taken = ", ".join(layer.inputs)[:200] or "nothing"
            raise RecurraError(
                f"the model is no chain of layers: {layer.name[:60]} takes {taken}, and not {previous[:60]} alone; "
                "names= says which of the layers to convert"
            )
        previous = layer.name
    return known


def _is_older(config: Any) -> bool:
    """Whether Keras before version 3 wrote a configuration."""
    version = config.get(VERSION) if isinstance(config, dict) else None
    return isinstance(version, str) and version.startswith(("0.", "1.", "2."))


def _layer(node: Any, is_older: bool) -> KerasLayer | None:
    if not isinstance(node, dict) or not isinstance(node.get("class_name"), str):
        return None
    settings = node.get("config")
    name = settings.get("name", node.get("name")) if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(name, str):
        return None
    inner = _layer(settings.get("layer"), is_older) if node["class_name"] in WRAPPERS else None
    inbound = node.get("inbound_nodes")
    inputs = None if inbound is None else list(dict.fromkeys(_named_layers(inbound, 0)))
    return KerasLayer(node["class_name"], name, settings, inputs, is_older, inner)


def _named_layers(node: Any, depth: int) -> Iterator[str]:
    """The names of layers in a list of inputs, which are written as [name, number, number, …]."""
    if isinstance(node, list) and len(node) > 2 and isinstance(node[0], str) and isinstance(node[1], int):
        yield node[0]
    elif depth < 20 and isinstance(node, (list, dict)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _named_layers(child, depth + 1)
