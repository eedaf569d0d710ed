"""The table of kinds: the one list of the parts that a model may consist of, with their settings and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from recurra.cells import feed_forward
from recurra.cells.adaptive_softmax import adaptive_softmax, cluster_widths
from recurra.compiler import drop_biases, trace
from recurra.equations import Cell
from recurra.errors import FileFormatError
from recurra.model.part import Part, Setting
from recurra.model.recurrent_parts import (
    ARRANGEMENT_DEFAULTS,
    COMPUTE_DEFAULT,
    Shapes,
    recurrent_features,
    recurrent_problem,
    recurrent_shapes,
)
from recurra.model.setting_rules import (
    APPROXIMATE,
    COMPUTE,
    CUTOFFS,
    EPS,
    FACTOR,
    FLAG,
    INDEX,
    INIT,
    LAST,
    LAYERS,
    MERGE_MODE,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    PROGRAM,
    SIZE,
    SIZE_OR_0,
    SIZES,
    SettingRule,
)
from recurra.program import Products, Program, Sizes

SUM = "Residual"  # the container whose input is added to its output
Features = tuple[int | None, int | None]
MakeProgram = Callable[[Part, np.dtype[Any]], Program]
"""Makes the program of a part that computes in a dtype, float32 or float64."""

Role = Literal["container", "models", "layer", "cell", "table", "rows", "last", "nothing"]
"""The work of a part when a model is used:

- ``container``: runs the parts inside, one after the other;
- ``models``: holds models, each of which runs by itself; such a part is the whole model, or a member of an ensemble;
- ``layer``: runs a recurrent program over sequences, in layers and directions;
- ``cell``: runs one step of a recurrent program;
- ``table``: looks up a row for each token;
- ``rows``: computes each step by itself, with a program without states;
- ``last``: hands on the last step of each sequence alone;
- ``nothing``: hands on what arrives.
"""


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    Attributes:
        role: the part's role in a model.
        settings: every setting that such a part has; there are no others.
        weights: gives the names and shapes of the part's own weights.
        problem: finds a contradiction between the part's settings; None where there is none.
        program: makes the program of a part whose role is ``rows``; None for other roles: a recurrent part's program is
            one of its settings.
        features: gives the numbers of features that the part takes and gives. None: it takes any number and gives as
            many, or it takes tokens.
        defaults: the settings that may be missing, with the values that they then have.
    """

    role: Role
    settings: Mapping[str, SettingRule] = field(default_factory=dict)
    weights: Callable[[Part], Shapes] = lambda part: {}
    problem: Callable[[Part], str | None] = lambda part: None
    program: MakeProgram | None = None
    features: Callable[[Part], Features] = lambda part: (None, None)
    defaults: Mapping[str, Setting] = field(default_factory=dict)


def _linear(part: Part) -> Shapes:
    features = part.size("out_features")
    return {"weight": (features, part.size("in_features")), **({"bias": (features,)} if part.flag("bias") else {})}


def _linear_features(part: Part) -> Features:
    return part.size("in_features"), part.size("out_features")


def _embedding(part: Part) -> Shapes:
    return {"weight": (part.size("num_embeddings"), part.size("embedding_dim"))}


def _embedding_features(part: Part) -> Features:
    return None, part.size("embedding_dim")


def _embedding_problem(part: Part) -> str | None:
    index = part.settings["padding_idx"]
    return (
        None if index is None or part.size("padding_idx") < part.size("num_embeddings") else "padding_idx is too large"
    )


def _adaptive_program(part: Part) -> Program:
    width, classes = part.size("in_features"), part.size("n_classes")
    return adaptive_softmax(width, classes, part.sizes("cutoffs"), part.number("div_value"), part.flag("head_bias"))


def _adaptive(part: Part) -> Shapes:
    sizes = Sizes(part.size("in_features"), 0)
    return {
        parameter.name: tuple(size.value(sizes) for size in parameter.shape)
        for parameter in _adaptive_program(part).parameters
    }


def _adaptive_problem(part: Part) -> str | None:
    cutoffs = part.sizes("cutoffs")
    if cutoffs[-1] >= part.size("n_classes"):
        return "cutoffs must be below n_classes"
    widths = cluster_widths(part.size("in_features"), len(cutoffs), part.number("div_value"))
    return None if min(widths) > 0 else "div_value leaves the last cluster no features"


def _adaptive_features(part: Part) -> Features:
    return part.size("in_features"), part.size("n_classes")


def _hardtanh_problem(part: Part) -> str | None:
    return None if part.number("min_val") < part.number("max_val") else "min_val must be below max_val"


def _norm(part: Part) -> Shapes:
    if not part.flag("elementwise_affine"):
        return {}
    shape = (part.size("features"),)
    return {"weight": shape, **({"bias": shape} if part.settings.get("bias") is True else {})}


def _norm_features(part: Part) -> Features:
    return part.size("features"), part.size("features")


_COMPUTE = {"compute": COMPUTE}
_CELL_SETTINGS = {
    "input_size": SIZE_OR_0,
    "hidden_size": SIZE,
    "bias": FLAG,
    "program": PROGRAM,
    "init": INIT,
    **_COMPUTE,
}
_LAYER_SETTINGS = {
    "input_size": SIZE,
    "hidden_size": SIZES,
    "num_layers": LAYERS,
    "bias": FLAG,
    "batch_first": FLAG,
    "dropout": PROBABILITY,
    "bidirectional": FLAG,
    "proj_size": SIZE_OR_0,
    "program": PROGRAM,
    "init": INIT,
    "merge_mode": MERGE_MODE,
    **dict.fromkeys(("residual", "tie_directions", "learn_initial_state"), FLAG),
    **_COMPUTE,
}


_NO_SETTINGS: Mapping[str, Setting] = MappingProxyType({})


def _traced(cell: Cell, *options: str) -> MakeProgram:
    """A maker of a cell's program; the part's settings are the cell's options."""
    return lambda part, dtype: trace(cell, {name: part.number(name) for name in options})


def _linear_program(part: Part, dtype: np.dtype[Any]) -> Program:
    program = trace(feed_forward.linear)
    return program if part.flag("bias") else drop_biases(program)


def _norm_program(cell: Cell, plain: Cell) -> MakeProgram:
    """A maker of a norm's program, with weights or without."""

    def program(part: Part, dtype: np.dtype[Any]) -> Program:
        # torch's RMSNorm without eps takes the dtype's machine epsilon.
        options = {"eps": float(np.finfo(dtype).eps) if part.settings["eps"] is None else part.number("eps")}
        if not part.flag("elementwise_affine"):
            return trace(plain, options)
        traced = trace(cell, options)
        return drop_biases(traced) if part.settings.get("bias") is False else traced

    return program


def _gelu_program(part: Part, dtype: np.dtype[Any]) -> Program:
    return trace(feed_forward.gelu_tanh if part.settings["approximate"] == "tanh" else feed_forward.gelu)


def _rows(
    program: MakeProgram | Cell,
    settings: Mapping[str, SettingRule] | None = None,
    weights: Callable[[Part], Shapes] = lambda part: {},
    problem: Callable[[Part], str | None] = lambda part: None,
    features: Callable[[Part], Features] = lambda part: (None, None),
    defaults: Mapping[str, Setting] = _NO_SETTINGS,
) -> Kind:
    """A kind that computes each step by itself; all its settings are options of the cell, where one is given."""
    settings = settings or {}
    make = _traced(program, *settings) if isinstance(program, Cell) else program
    return Kind("rows", settings, weights, problem, make, features, defaults)


_LAYER = Kind(
    "layer",
    _LAYER_SETTINGS,
    recurrent_shapes,
    recurrent_problem,
    features=recurrent_features,
    defaults={**ARRANGEMENT_DEFAULTS, **COMPUTE_DEFAULT},
)
_CELL = Kind(
    "cell", _CELL_SETTINGS, recurrent_shapes, recurrent_problem, features=recurrent_features, defaults=COMPUTE_DEFAULT
)

KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Recurrent", "RNN", "LSTM", "GRU"), _LAYER),
    **dict.fromkeys(("RecurrentCell", "RNNCell", "LSTMCell", "GRUCell"), _CELL),
    **dict.fromkeys(("Sequential", "Stack", SUM), Kind("container")),
    **dict.fromkeys(("Ensemble", "EncoderDecoder"), Kind("models")),
    "Embedding": Kind(
        "table",
        {"num_embeddings": SIZE, "embedding_dim": SIZE, "padding_idx": INDEX},
        _embedding,
        _embedding_problem,
        features=_embedding_features,
    ),
    "LastStep": Kind("last", {"batch_first": FLAG, "bidirectional": FLAG}),
    "Dropout": Kind("nothing", {"p": PROBABILITY}),
    "VariationalDropout": Kind("nothing", {"p": PROBABILITY}),
    "Identity": Kind("nothing"),
    "Linear": _rows(
        _linear_program,
        {"in_features": SIZE, "out_features": SIZE, "bias": FLAG, **_COMPUTE},
        _linear,
        features=_linear_features,
        defaults=COMPUTE_DEFAULT,
    ),
    "AdaptiveSoftmax": _rows(
        lambda part, dtype: _adaptive_program(part),
        {
            "in_features": SIZE,
            "n_classes": SIZE,
            "cutoffs": CUTOFFS,
            "div_value": FACTOR,
            "head_bias": FLAG,
            **_COMPUTE,
        },
        _adaptive,
        _adaptive_problem,
        _adaptive_features,
        COMPUTE_DEFAULT,
    ),
    "LayerNorm": _rows(
        _norm_program(feed_forward.layer_norm, feed_forward.plain_layer_norm),
        {"features": SIZE, "eps": NOT_NEGATIVE, "elementwise_affine": FLAG, "bias": FLAG},
        _norm,
        features=_norm_features,
    ),
    "RMSNorm": _rows(
        _norm_program(feed_forward.rms_norm, feed_forward.plain_rms_norm),
        {"features": SIZE, "eps": EPS, "elementwise_affine": FLAG},
        _norm,
        features=_norm_features,
    ),
    "ReLU": _rows(feed_forward.relu),
    "ReLU6": _rows(feed_forward.relu6),
    "PReLU": _rows(feed_forward.prelu, weights=lambda part: {"weight": (1,)}),
    "LeakyReLU": _rows(feed_forward.leaky_relu, {"negative_slope": NUMBER}),
    "ELU": _rows(feed_forward.elu, {"alpha": NUMBER}),
    "CELU": _rows(feed_forward.celu, {"alpha": POSITIVE}),
    "SELU": _rows(feed_forward.selu),
    "GELU": _rows(_gelu_program, {"approximate": APPROXIMATE}),
    "SiLU": _rows(feed_forward.silu),
    "Mish": _rows(feed_forward.mish),
    "Softplus": _rows(feed_forward.softplus, {"beta": POSITIVE, "threshold": NUMBER}),
    "Threshold": _rows(feed_forward.threshold, {"threshold": NUMBER, "value": NUMBER}),
    "Tanh": _rows(feed_forward.tanh),
    "Hardtanh": _rows(feed_forward.hardtanh, {"min_val": NUMBER, "max_val": NUMBER}, problem=_hardtanh_problem),
    "Tanhshrink": _rows(feed_forward.tanhshrink),
    "Sigmoid": _rows(feed_forward.sigmoid),
    "LogSigmoid": _rows(feed_forward.log_sigmoid),
    "Hardsigmoid": _rows(feed_forward.hardsigmoid),
    "Hardswish": _rows(feed_forward.hardswish),
    "Softsign": _rows(feed_forward.softsign),
    "Softshrink": _rows(feed_forward.softshrink, {"lambd": NOT_NEGATIVE}),
    "Hardshrink": _rows(feed_forward.hardshrink, {"lambd": NOT_NEGATIVE}),
    "Softmax": _rows(_traced(feed_forward.softmax), {"dim": LAST}),
    "Softmin": _rows(_traced(feed_forward.softmin), {"dim": LAST}),
    "LogSoftmax": _rows(_traced(feed_forward.log_softmax), {"dim": LAST}),
}


def kinds_of(*roles: Role) -> tuple[str, ...]:
    """The names of all kinds with one of these roles."""
    return tuple(name for name, kind in KINDS.items() if kind.role in roles)


def role(part: Part) -> Role:
    """The role of a part of a known kind."""
    return KINDS[part.kind].role


def features(part: Part) -> Features:
    """The numbers of features that a part of a known kind takes and gives.

    None: the part takes any number and gives as many, or it takes tokens.
    """
    return KINDS[part.kind].features(part)


def with_compute(root: Part, compute: Products | None) -> Part:
    """The tree in which every part with matrix products computes them so; see ``compute`` of ``recurra.nn.Recurrent``.

    Args:
        root: a tree of known kinds.
        compute: the operands of products; None where the context says it.
    """
    children = tuple((name, with_compute(child, compute)) for name, child in root.children)
    has_products = "compute" in KINDS[root.kind].settings
    settings = {**root.settings, "compute": compute} if has_products else root.settings
    return Part(root.kind, settings, children)


def is_recurrent(part: Part) -> bool:
    """Whether a part of a known kind has states: layers and cells do."""
    return role(part) in ("layer", "cell")


def check(root: Part) -> None:
    """Refuse a tree with an unknown kind or setting, or with values that settings cannot have.

    Raises:
        FileFormatError: a part is wrong; the message names it, the setting, and the values that it may have.
    """
    for name, part in root.walk():
        where = f"{name or 'the model'} ({part.kind})"
        kind = KINDS.get(part.kind)
        if kind is None:
            raise FileFormatError(f"{name or 'the model'} is of the unknown kind {part.kind[:60]!r}")
        missing = sorted(set(kind.settings) - set(part.settings) - set(kind.defaults))
        if missing or not set(part.settings) <= set(kind.settings):
            extra = sorted(setting[:60] for setting in set(part.settings) - set(kind.settings))
            raise FileFormatError(f"{where}: settings missing: {missing}; not known: {extra[:5]}")
        for setting, value in part.settings.items():
            row = kind.settings[setting]
            if not row.is_valid(value):
                raise FileFormatError(f"{where}: {setting} must be {row.text}, not {_shown(value)}")
        if part.children and kind.role not in ("container", "models"):
            raise FileFormatError(f"{where} cannot have parts inside")
        problem = kind.problem(part)
        if problem is not None:
            raise FileFormatError(f"{where}: {problem}")


def _shown(value: object) -> str:
    return repr(value)[:60] if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


def weights_of(root: Part) -> Shapes:
    """The name and shape of every weight of a model, in order."""
    return {
        f"{name}.{weight}" if name else weight: shape
        for name, part in root.walk()
        for weight, shape in KINDS[part.kind].weights(part).items()
    }
