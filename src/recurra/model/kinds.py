"""The table of kinds: the one list of the parts that a model may consist of, with their settings and weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from recurra.errors import FileFormatError
from recurra.model.part import Part
from recurra.program import Program, Sizes

MAX_SIZE = 2**31 - 1  # of one dimension
MAX_LAYERS = 1_000
MAX_INIT = 100  # parameters with a first value of their own
MAX_NUMBER = 2**53  # of whole numbers where any number may stand: beyond, they are none in float64
Shapes = dict[str, tuple[int, ...]]


class Setting(NamedTuple):
    """What a setting may be.

    Attributes:
        text: the same for people, as in "must be …".
        is_valid: whether a value is of it.
    """

    text: str
    is_valid: Callable[[object], bool]


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes:
        settings: every setting that such a part has; none may be missing, and there are no others.
        weights: names and shapes of its own weights.
        problem: what does not fit between its settings; None where all do.
        is_container: whether it has parts inside, run one after the other.
    """

    settings: Mapping[str, Setting] = field(default_factory=dict)
    weights: Callable[[Part], Shapes] = lambda part: {}
    problem: Callable[[Part], str | None] = lambda part: None
    is_container: bool = False


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_number(value: object) -> bool:
    return _is_whole(value, -MAX_NUMBER, MAX_NUMBER) or (type(value) is float and math.isfinite(value))


SIZE = Setting(f"a whole number from 1 to {MAX_SIZE}", lambda value: _is_whole(value, 1, MAX_SIZE))
SIZE_OR_0 = Setting(f"a whole number from 0 to {MAX_SIZE}", lambda value: _is_whole(value, 0, MAX_SIZE))
LAYERS = Setting(f"a whole number from 1 to {MAX_LAYERS}", lambda value: _is_whole(value, 1, MAX_LAYERS))
INDEX = Setting("null or a whole number", lambda value: value is None or _is_whole(value, 0, MAX_SIZE))
FLAG = Setting("true or false", lambda value: type(value) is bool)
NUMBER = Setting("a finite number", _is_number)
POSITIVE = Setting("a positive number", lambda value: _is_number(value) and value > 0)  # type: ignore[operator]
NOT_NEGATIVE = Setting("a number from 0", lambda value: _is_number(value) and value >= 0)  # type: ignore[operator]
EPS = Setting(
    "null or a number that is not negative",
    lambda value: value is None or (_is_number(value) and value >= 0),  # type: ignore[operator]
)
PROBABILITY = Setting("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)  # type: ignore[operator]
LAST = Setting("-1, the features", lambda value: value == -1 and type(value) is int)
APPROXIMATE = Setting("'none' or 'tanh'", lambda value: value in ("none", "tanh"))
PROGRAM = Setting("a program", lambda value: isinstance(value, Program))
INIT = Setting(
    f"at most {MAX_INIT} numbers by name",
    lambda value: (
        isinstance(value, Mapping)
        and len(value) <= MAX_INIT
        and all(isinstance(k, str) and _is_number(v) for k, v in value.items())
    ),
)


def layer_sizes(part: Part) -> list[Sizes]:
    """The numbers of the program's symbols in each layer of a recurrent part; a cell has one layer.

    Raises:
        RecurraError: the size of the output comes out as no whole number.
    """
    is_cell = "num_layers" not in part.settings
    sizes = Sizes(part.size("input_size"), part.size("hidden_size"), 0 if is_cell else part.size("proj_size"))
    later = sizes._replace(input=directions(part) * part.program.output.shape[0].value(sizes))
    return [sizes, *[later] * (0 if is_cell else part.size("num_layers") - 1)]


def directions(part: Part) -> int:
    """How many runs a recurrent part makes in each layer: 1 or 2."""
    return 2 if part.settings.get("bidirectional") is True else 1


def recurrent_weights(part: Part) -> list[tuple[str, Shapes]]:
    """The weights of a recurrent layer or cell, run by run: the suffix of their names, and shapes by full name.

    Raises:
        RecurraError: a size of the program comes out as no whole number.
    """
    runs = []
    for layer, sizes in enumerate(layer_sizes(part)):
        for direction in range(directions(part)):
            suffix = "" if "num_layers" not in part.settings else f"_l{layer}" + ("_reverse" if direction else "")
            shapes = {
                parameter.name + suffix: tuple(size.value(sizes) for size in parameter.shape)
                for parameter in part.program.parameters
            }
            runs.append((suffix, shapes))
    return runs


def _recurrent(part: Part) -> Shapes:
    return {name: shape for _, shapes in recurrent_weights(part) for name, shape in shapes.items()}


def _recurrent_problem(part: Part) -> str | None:
    program, projection = part.program, part.settings.get("proj_size", 0)
    if not program.states:
        return "its program has no state"
    projects = any("proj" in size.symbols for variable in program.sources for size in variable.shape)
    if projects != (projection != 0):
        return "proj_size does not fit its program"
    if projects and part.size("proj_size") >= part.size("hidden_size"):
        return "proj_size must be smaller than hidden_size"
    return None


def _linear(part: Part) -> Shapes:
    features = part.size("out_features")
    return {"weight": (features, part.size("in_features")), **({"bias": (features,)} if part.flag("bias") else {})}


def _embedding(part: Part) -> Shapes:
    return {"weight": (part.size("num_embeddings"), part.size("embedding_dim"))}


def _embedding_problem(part: Part) -> str | None:
    index = part.settings["padding_idx"]
    return (
        None if index is None or part.size("padding_idx") < part.size("num_embeddings") else "padding_idx is too large"
    )


def _hardtanh_problem(part: Part) -> str | None:
    return None if part.number("min_val") < part.number("max_val") else "min_val must be below max_val"


def _norm(part: Part) -> Shapes:
    if not part.flag("elementwise_affine"):
        return {}
    shape = (part.size("features"),)
    return {"weight": shape, **({"bias": shape} if part.settings.get("bias") is True else {})}


_CELL = {"input_size": SIZE_OR_0, "hidden_size": SIZE, "bias": FLAG, "program": PROGRAM, "init": INIT}
_LAYER = {
    "input_size": SIZE,
    "hidden_size": SIZE,
    "num_layers": LAYERS,
    "bias": FLAG,
    "batch_first": FLAG,
    "dropout": PROBABILITY,
    "bidirectional": FLAG,
    "proj_size": SIZE_OR_0,
    "program": PROGRAM,
    "init": INIT,
}

LAYERS_OF_CELLS = ("Recurrent", "RNN", "LSTM", "GRU")
CELLS = ("RecurrentCell", "RNNCell", "LSTMCell", "GRUCell")
CONTAINERS = ("Sequential", "Stack")

KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(LAYERS_OF_CELLS, Kind(_LAYER, _recurrent, _recurrent_problem)),
    **dict.fromkeys(CELLS, Kind(_CELL, _recurrent, _recurrent_problem)),
    **dict.fromkeys(CONTAINERS, Kind(is_container=True)),
    "Linear": Kind({"in_features": SIZE, "out_features": SIZE, "bias": FLAG}, _linear),
    "Embedding": Kind(
        {"num_embeddings": SIZE, "embedding_dim": SIZE, "padding_idx": INDEX}, _embedding, _embedding_problem
    ),
    "LayerNorm": Kind({"features": SIZE, "eps": NOT_NEGATIVE, "elementwise_affine": FLAG, "bias": FLAG}, _norm),
    "RMSNorm": Kind({"features": SIZE, "eps": EPS, "elementwise_affine": FLAG}, _norm),
    "Dropout": Kind({"p": PROBABILITY}),
    "Identity": Kind(),
    **dict.fromkeys(
        ("ReLU", "ReLU6", "Tanh", "Sigmoid", "LogSigmoid", "SiLU", "Mish", "Softsign", "Hardsigmoid", "Hardswish"),
        Kind(),
    ),
    **dict.fromkeys(("SELU", "Tanhshrink"), Kind()),
    "Hardtanh": Kind({"min_val": NUMBER, "max_val": NUMBER}, problem=_hardtanh_problem),
    "ELU": Kind({"alpha": NUMBER}),
    "CELU": Kind({"alpha": POSITIVE}),
    "LeakyReLU": Kind({"negative_slope": NUMBER}),
    "Softplus": Kind({"beta": POSITIVE, "threshold": NUMBER}),
    **dict.fromkeys(("Softshrink", "Hardshrink"), Kind({"lambd": NOT_NEGATIVE})),
    "PReLU": Kind(weights=lambda part: {"weight": (1,)}),
    "Threshold": Kind({"threshold": NUMBER, "value": NUMBER}),
    "GELU": Kind({"approximate": APPROXIMATE}),
    **dict.fromkeys(("Softmax", "Softmin", "LogSoftmax"), Kind({"dim": LAST})),
}


def check(root: Part) -> None:
    """Refuse a tree with an unknown kind or setting, or with values that settings cannot have.

    Raises:
        FileFormatError: names the part, the setting, and what it may be.
    """
    for name, part in root.walk():
        where = f"{name or 'the model'} ({part.kind})"
        kind = KINDS.get(part.kind)
        if kind is None:
            raise FileFormatError(f"{name or 'the model'} is of the unknown kind {part.kind[:60]!r}")
        if set(part.settings) != set(kind.settings):
            missing = sorted(set(kind.settings) - set(part.settings))
            extra = sorted(setting[:60] for setting in set(part.settings) - set(kind.settings))
            raise FileFormatError(f"{where}: settings missing: {missing}; not known: {extra[:5]}")
        for setting, row in kind.settings.items():
            if not row.is_valid(part.settings[setting]):
                raise FileFormatError(f"{where}: {setting} must be {row.text}, not {_shown(part.settings[setting])}")
        if part.children and not kind.is_container:
            raise FileFormatError(f"{where} cannot have parts inside")
        problem = kind.problem(part)
        if problem is not None:
            raise FileFormatError(f"{where}: {problem}")


def _shown(value: object) -> str:
    return repr(value)[:60] if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


def weights_of(root: Part) -> Shapes:
    """Name and shape of every weight of a model, in order."""
    return {
        f"{name}.{weight}" if name else weight: shape
        for name, part in root.walk()
        for weight, shape in KINDS[part.kind].weights(part).items()
    }
