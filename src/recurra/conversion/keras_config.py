"""Layers of a model of Keras, from its configuration: their kinds, settings and order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_NODES = 1_000_000  # of a configuration's tree
VERSION, NUMBERED = "keras_version", "has_numbers"  # keys that a configuration gets when it is read
WRAPPERS = ("Bidirectional", "TimeDistributed")
_LINEAR = ("linear", None)


@dataclass(frozen=True)
class KerasLayer:
    """A layer of a model.

    Attributes:
        kind: its class, such as LSTM or Bidirectional.
        name: its name in the model.
        settings: its settings, by Keras' names.
        is_older: whether Keras before version 3 wrote it, whose hard_sigmoid has another slope.
        inner: the layer that a Bidirectional or TimeDistributed wraps; None for others.
        stored: the name of its arrays, in files that number the layers of a class and do not have ``name``; else None.
    """

    kind: str
    name: str
    settings: Mapping[str, Any]
    is_older: bool = False
    inner: KerasLayer | None = None
    stored: str | None = None

    @property
    def label(self) -> str:
        """The name of its arrays in the file."""
        return self.name if self.stored is None else self.stored

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
    older, numbered = is_older(config), has_numbers(config)
    waiting, left = [config], MAX_NODES
    while waiting and left:
        node, left = waiting.pop(), left - 1
        if isinstance(node, dict) and numbered and isinstance(node.get("layers"), list):
            for child, name in zip(node["layers"], numbered_names(node["layers"]), strict=True):
                layer = keras_layer(child, older)
                if layer is not None:
                    found.setdefault(name, layer)
                    waiting.append(layer.settings)
        elif isinstance(node, dict):
            layer = keras_layer(node, older)
            if layer is not None:
                found.setdefault(layer.name, layer)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found


def sole(given: Any) -> Any:
    """A setting, which may stand in a list of one."""
    return given[0] if isinstance(given, list) and len(given) == 1 else given


def has_numbers(config: Any) -> bool:
    """Tell whether the arrays of a file have the classes and numbers of layers in the place of their names."""
    return isinstance(config, dict) and config.get(NUMBERED) is True


def numbered_names(nodes: Sequence[Any]) -> list[str]:
    """The names that Keras gives the arrays of a model's layers in such a file: ``lstm``, ``lstm_1`` and so on."""
    counts: Counter[str] = Counter()
    names = []
    for node in nodes:
        kind = node.get("class_name") if isinstance(node, dict) else None
        stem = re.sub(r"\W+", "", str(kind)[:200])
        stem = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", stem)).lower()
        names.append(f"{stem}_{counts[stem]}" if counts[stem] else stem)
        counts[stem] += 1
    return names


def is_older(config: Any) -> bool:
    """Whether Keras before version 3 wrote a configuration."""
    version = config.get(VERSION) if isinstance(config, dict) else None
    return isinstance(version, str) and version.startswith(("0.", "1.", "2."))


def keras_layer(node: Any, older: bool) -> KerasLayer | None:
    """The layer of a node of a configuration; None if it is none. ``older``: Keras before version 3 wrote it."""
    if not isinstance(node, dict) or not isinstance(node.get("class_name"), str):
        return None
    settings = node.get("config")
    name = settings.get("name", node.get("name")) if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(name, str):
        return None
    inner = keras_layer(settings.get("layer"), older) if node["class_name"] in WRAPPERS else None
    return KerasLayer(node["class_name"], name, settings, older, inner)
