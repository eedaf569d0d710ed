"""The tensors in the tree of values of a checkpoint, by name; optimizers, settings and the like are skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recurra.conversion.pickles import Global, Unmade
from recurra.conversion.torch_tensors import TorchTensor
from recurra.errors import FileFormatError

MAX_VALUES = 1_000_000  # that are looked at
MAX_DEPTH = 100
MAX_NAME = 500  # characters

# Keys of a checkpoint under which its model's weights lie, and beginnings of keys under which others lie.
_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
_OTHERS = ("optim", "lr_sched", "sched", "callbacks", "loops", "hyper_parameters", "hparams", "rng", "amp", "scaler")
_MODULE = ("_parameters", "_buffers", "_modules")  # attributes of torch's modules
_TENSOR = "_rebuild_"  # in the names of the functions that make tensors

FoundTensors = dict[str, "TorchTensor | Unmade"]


def found_tensors(value: Any) -> tuple[FoundTensors, list[str]]:
    """The tensors of a checkpoint's value by name, and the entries that were skipped, with what they are.

    A key such as ``state_dict`` does not become a part of the names if all tensors lie under it.

    Args:
        value: the value of the checkpoint's pickle.

    Raises:
        FileFormatError: there are no tensors, or there are too many values.
    """
    walk = _TensorSearch()
    own = children(value)
    if own is None:
        walk.look(value, "", 0)
        if not walk.found:
            raise FileFormatError(f"it holds {_what(value)}, and no tensors")
        return walk.found, []
    walk.above.add(id(value))
    skipped, holding = [], []
    for name, child in own:
        before = len(walk.found)
        if children(child) is None or not name.lower().startswith(_OTHERS):
            walk.look(child, name, 0)
        if len(walk.found) == before:
            skipped.append(f"{name[:50]} ({_what(child)})")
        else:
            holding.append(name)
    if not walk.found:
        raise FileFormatError(f"it holds no tensors, but {', '.join(skipped)[:200] or 'nothing'}")
    if len(holding) == 1 and holding[0] in _WRAPPERS:
        start = len(holding[0]) + 1
        return {name[start:] or name: tensor for name, tensor in walk.found.items()}, skipped
    return walk.found, skipped


def children(value: Any) -> Iterator[tuple[str, Any]] | None:
    """The values inside of one, with their names; None where there cannot be any."""
    if isinstance(value, Unmade) and type(value.state) is dict:
        groups = [value.state[name] for name in _MODULE if type(value.state.get(name)) is dict]
        return _named(item for group in groups or [value.state] for item in group.items())
    if type(value) is dict:
        return _named(value.items())
    return _named(enumerate(value)) if type(value) in (list, tuple) else None


def _named(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    return ((key if isinstance(key, str) else repr(key), value) for key, value in items)


class _TensorSearch:
    """A search through values, which may contain each other and themselves."""

    def __init__(self) -> None:
        self.found: FoundTensors = {}
        self.left = MAX_VALUES
        self.above: set[int] = set()  # the values on the way to the present one

    def look(self, value: Any, name: str, depth: int) -> None:
        """Note a tensor, or look at what is inside of a value."""
        self.left -= 1
        if self.left < 0:
            raise FileFormatError(f"it holds more than {MAX_VALUES} values")
        if len(name) > MAX_NAME:
            raise FileFormatError(f"a name of {len(name)} characters; at most {MAX_NAME} are read")
        if isinstance(value, TorchTensor) or (isinstance(value, Unmade) and _TENSOR in value.name):
            if name in self.found:
                raise FileFormatError(f"two tensors have the name {name[:100]}")
            self.found[name] = value
            return
        inside = children(value)
        if inside is None or id(value) in self.above or depth > MAX_DEPTH:
            return
        self.above.add(id(value))
        for key, child in inside:
            self.look(child, f"{name}.{key}" if name else key, depth + 1)
        self.above.discard(id(value))


def _what(value: Any) -> str:
    """The kind of a value, for messages."""
    if isinstance(value, (Unmade, Global)):
        return value.name[:60]
    return type(value).__name__
