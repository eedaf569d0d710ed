"""Torch modules to descriptions of models, and back: one row for each kind of part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from recurra.compiler import TracedCell
from recurra.equations import Cell
from recurra.errors import FileFormatError, RecurraError
from recurra.model import Description, Part, Weight
from recurra.model.kinds import role
from recurra.model.part import Setting
from recurra.model.recurrent_parts import ARRANGEMENT_DEFAULTS
from recurra.nn.acceleration.fitness import ACCELERATED, counterpart
from recurra.nn.adaptive_softmax import AdaptiveSoftmax
from recurra.nn.dropins import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from recurra.nn.encoder_decoder import EncoderDecoder
from recurra.nn.ensemble import Ensemble
from recurra.nn.last_step import LastStep
from recurra.nn.over_time import Conv1d, RunningMax, RunningMean
from recurra.nn.quantized import QuantizedLinear
from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell
from recurra.nn.regularisers import EmbeddingDropout, VariationalDropout
from recurra.nn.residual import Residual
from recurra.nn.stack import Stack
from recurra.nn.weight_drop import WeightDrop

Settings = dict[str, Setting]


@dataclass(frozen=True)
class ModuleRow:
    """Modules of one class to settings, and back.

    Attributes:
        kind: the name in the table of kinds.
        describe: gives the settings of a module.
        make: makes a module of settings, with no values in its weights.
    """

    kind: str
    describe: Callable[[Any], Settings]
    make: Callable[[Part], nn.Module]


# ---- recurrent parts ----


def _layer(module: Recurrent) -> Settings:
    names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
    settings = {name: getattr(module, name) for name in names}
    chosen = {name: getattr(module, name) for name in ARRANGEMENT_DEFAULTS}
    others = {name: value for name, value in chosen.items() if value != ARRANGEMENT_DEFAULTS[name]}
    return {**settings, "program": module.program, "init": module.cell.stored_init, **others, **_compute(module)}


def _compute(module: Recurrent | RecurrentCell) -> Settings:
    return {} if module.compute is None else {"compute": module.compute}


def _cell(module: RecurrentCell) -> Settings:
    names = ("input_size", "hidden_size", "bias")
    return {
        **{name: getattr(module, name) for name in names},
        "program": module.program,
        "init": module.cell.stored_init,
        **_compute(module),
    }


def _arguments(part: Part) -> dict[str, Any]:
    given = {name: value for name, value in part.settings.items() if name not in ("program", "init")}
    if given.get("num_layers") == 1:
        given["dropout"] = 0.0  # it has no effect in one layer, and the layer would warn
    return given


def _traced(part: Part) -> Cell:
    return TracedCell(part.program, cast(Mapping[str, "float | str"], part.settings["init"]))


def _make_layer(part: Part) -> Recurrent:
    return Recurrent(_traced(part), **_arguments(part))


def _make_cell(part: Part) -> RecurrentCell:
    return RecurrentCell(_traced(part), **_arguments(part))


def _dropin(make: Callable[..., Any], *variants: Mapping[str, str]) -> Callable[[Part], nn.Module]:
    """Make the drop-in if it has the part's program; else a ``Recurrent`` or ``RecurrentCell`` of that program."""

    def make_part(part: Part) -> nn.Module:
        given = _arguments(part)
        if isinstance(given["hidden_size"], tuple):  # the drop-ins have one size for all layers
            return _make_layer(part)
        if "proj_size" in given and make is not LSTM:
            del given["proj_size"]
        for variant in variants or ({},):
            module = make(**given, **variant)
            if module.program == part.program:
                return cast(nn.Module, module)
        return _make_layer(part) if role(part) == "layer" else _make_cell(part)

    return make_part


_NONLINEARITIES = ({"nonlinearity": "tanh"}, {"nonlinearity": "relu"})


# ---- other parts ----


def _plain(cls: type[nn.Module], **renamed: str) -> ModuleRow:
    """The row of a class whose arguments are its attributes; ``renamed`` gives each setting's attribute."""

    def describe(module: nn.Module) -> Settings:
        return {setting: getattr(module, name) for setting, name in renamed.items()}

    def make(part: Part) -> nn.Module:
        return cls(**{renamed[name]: value for name, value in _without_compute(part).items()})

    return ModuleRow(cls.__name__, describe, make)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _make_linear(part: Part) -> nn.Module:
    kind = QuantizedLinear if part.compute == "int8" else nn.Linear
    return kind(**_without_compute(part))


def _linear(module: nn.Linear) -> Settings:
    return {
        "in_features": module.in_features,
        "out_features": module.out_features,
        "bias": cast(Tensor | None, module.bias) is not None,
    }


def _without_compute(part: Part) -> dict[str, Any]:
    """The settings without ``compute``, which torch's own modules do not have."""
    return {name: value for name, value in part.settings.items() if name != "compute"}


def _embedding(module: nn.Embedding) -> Settings:
    if module.max_norm is not None:
        raise FileFormatError("an Embedding with max_norm changes its weights in use, and cannot be saved")
    return {name: getattr(module, name) for name in ("num_embeddings", "embedding_dim", "padding_idx")}


def _make_embedding(part: Part) -> nn.Embedding:
    settings = cast(dict[str, Any], part.settings)
    shape = settings["num_embeddings"], settings["embedding_dim"]
    others = {name: value for name, value in settings.items() if name not in ("num_embeddings", "embedding_dim")}
    # With given weights none are drawn: torch imports its compiler to draw normal numbers on the device `meta`.
    rows = torch.empty(shape)
    made: nn.Embedding = nn.Embedding.from_pretrained(rows, freeze=False, **others)  # type: ignore[no-untyped-call]
    return made


def _features(module: nn.LayerNorm | nn.RMSNorm) -> int:
    if len(module.normalized_shape) != 1:
        raise FileFormatError(f"{type(module).__name__} over {len(module.normalized_shape)} dimensions cannot be saved")
    return module.normalized_shape[0]


def _layer_norm(module: nn.LayerNorm) -> Settings:
    affine = module.elementwise_affine
    bias = affine and cast(Tensor | None, module.bias) is not None
    return {"features": _features(module), "eps": module.eps, "elementwise_affine": affine, "bias": bias}


def _rms_norm(module: nn.RMSNorm) -> Settings:
    return {"features": _features(module), "eps": module.eps, "elementwise_affine": module.elementwise_affine}


def _make_norm(cls: type[nn.Module]) -> Callable[[Part], nn.Module]:
    def make(part: Part) -> nn.Module:
        given = dict(part.settings)
        return cls(given.pop("features"), **given)

    return make


def _last(module: nn.Softmax | nn.Softmin | nn.LogSoftmax) -> Settings:
    if module.dim != -1:
        raise FileFormatError(f"{type(module).__name__} must be over the features, dim=-1; it has dim={module.dim}")
    return {"dim": -1}


def _prelu(module: nn.PReLU) -> Settings:
    if module.num_parameters != 1:
        raise FileFormatError(f"PReLU must have one slope for all; it has {module.num_parameters}, of its dimension 1")
    return {}


def _make_over_features(cls: type[nn.Module]) -> Callable[[Part], nn.Module]:
    return lambda part: cls(-1)


ROWS: Mapping[type[nn.Module], ModuleRow] = {
    Recurrent: ModuleRow("Recurrent", _layer, _make_layer),
    **{cls: ModuleRow("Recurrent", _layer, _make_layer) for cls in (WeightDrop, Conv1d, RunningMean, RunningMax)},
    RNN: ModuleRow("RNN", _layer, _dropin(RNN, *_NONLINEARITIES)),
    LSTM: ModuleRow("LSTM", _layer, _dropin(LSTM)),
    GRU: ModuleRow("GRU", _layer, _dropin(GRU)),
    RecurrentCell: ModuleRow("RecurrentCell", _cell, _make_cell),
    RNNCell: ModuleRow("RNNCell", _cell, _dropin(RNNCell, *_NONLINEARITIES)),
    LSTMCell: ModuleRow("LSTMCell", _cell, _dropin(LSTMCell)),
    GRUCell: ModuleRow("GRUCell", _cell, _dropin(GRUCell)),
    nn.Linear: ModuleRow("Linear", _linear, _make_linear),
    QuantizedLinear: ModuleRow("Linear", lambda module: {**_linear(module), "compute": "int8"}, _make_linear),
    nn.Embedding: ModuleRow("Embedding", _embedding, _make_embedding),
    AdaptiveSoftmax: _plain(AdaptiveSoftmax, **_same("in_features", "n_classes", "cutoffs", "div_value", "head_bias")),
    nn.LayerNorm: ModuleRow("LayerNorm", _layer_norm, _make_norm(nn.LayerNorm)),
    nn.RMSNorm: ModuleRow("RMSNorm", _rms_norm, _make_norm(nn.RMSNorm)),
    **{
        cls: ModuleRow(cls.__name__, _last, _make_over_features(cls)) for cls in (nn.Softmax, nn.Softmin, nn.LogSoftmax)
    },
    EmbeddingDropout: ModuleRow("Embedding", _embedding, _make_embedding),
    nn.Dropout: _plain(nn.Dropout, **_same("p")),
    VariationalDropout: _plain(VariationalDropout, **_same("p")),
    LastStep: _plain(LastStep, **_same("batch_first", "bidirectional")),
    nn.Identity: _plain(nn.Identity),
    **{cls: _plain(cls) for cls in (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.SiLU, nn.Mish)},
    **{cls: _plain(cls) for cls in (nn.Softsign, nn.Hardsigmoid, nn.Hardswish, nn.SELU, nn.Tanhshrink)},
    **{cls: _plain(cls, **_same("alpha")) for cls in (nn.ELU, nn.CELU)},
    **{cls: _plain(cls, **_same("lambd")) for cls in (nn.Softshrink, nn.Hardshrink)},
    nn.Hardtanh: _plain(nn.Hardtanh, **_same("min_val", "max_val")),
    nn.LeakyReLU: _plain(nn.LeakyReLU, **_same("negative_slope")),
    nn.Softplus: _plain(nn.Softplus, **_same("beta", "threshold")),
    nn.Threshold: _plain(nn.Threshold, **_same("threshold", "value")),
    nn.PReLU: ModuleRow("PReLU", _prelu, lambda part: nn.PReLU()),
    nn.GELU: _plain(nn.GELU, **_same("approximate")),
}
# Modules with modules inside; a class comes before those that it inherits from.
CONTAINERS: Mapping[type[nn.Module], str] = {
    cls: cls.__name__ for cls in (Residual, Stack, nn.Sequential, Ensemble, EncoderDecoder)
}
# Modules of torch.nn's classes, accelerated or not, are saved as recurra's.
_ADOPTED = {kind: ours.recurra_class for theirs, ours in ACCELERATED.items() for kind in (theirs, ours)}
_MAKERS = {row.kind: row.make for row in ROWS.values()}


# ---- both ways ----


def describe(module: nn.Module, annotations: Mapping[str, object] | None = None) -> Description:
    """A module as plain data: its parts, and the weights as they are now.

    Args:
        module: one of the known parts, a Sequential or Stack of them, an EncoderDecoder or an Ensemble of such modules,
            or a subclass of these with their forward.
        annotations: facts that go with the module, by name. Default: none.

    Raises:
        FileFormatError: a part or an annotation is not known, or a part was changed after it was made; names it.
        TypeError: ``module`` is no module, or an annotation is not of its class.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"what is saved must be a torch.nn.Module, not {type(module).__name__}")
    root = _part_of(module, "")
    seen: dict[tuple[object, ...], Weight] = {}
    weights = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        key = _memory(tensor) or (name,)
        if key not in seen:
            seen[key] = _weight(name, tensor.detach())
        weights[name] = seen[key]
    return Description(root, weights, annotations or {})


def _memory(tensor: Tensor) -> tuple[object, ...] | None:
    """The key of a tensor's memory, which tied weights share; None where there is no memory to share."""
    if tensor.layout is not torch.strided or not tensor.numel():
        return None
    return (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)


def _part_of(module: nn.Module, name: str) -> Part:
    cls = type(module)
    _refuse_changed(module, name)
    container = next((kind for base, kind in CONTAINERS.items() if isinstance(module, base)), None)
    if container is not None:
        if cls.forward not in {base.forward for base in CONTAINERS}:
            raise FileFormatError(f"{name or 'the module'} ({cls.__name__}) has a forward of its own: {_ADVICE}")
        children = tuple(
            (child, _part_of(part, f"{name}.{child}" if name else child))
            for child, part in module._modules.items()
            if part is not None
        )
        return Part(container, {}, children)
    row = ROWS.get(_ADOPTED.get(cls, cls))
    if row is None:
        known = ", ".join(sorted({row.kind for row in ROWS.values()} | set(CONTAINERS.values())))
        raise FileFormatError(
            f"{name or 'the module'} is a {cls.__module__}.{cls.__qualname__}: {_ADVICE}. Known: {known}"
        )
    try:
        settings = row.describe(counterpart(module) if cls in ACCELERATED else module)
        return Part(row.kind, {key: _of_python(value) for key, value in settings.items()})
    except RecurraError as error:
        raise FileFormatError(f"{name or 'the module'}: {error}") from None


def _of_python(value: Setting) -> Setting:
    """A setting as Python's number, where the module was given one of numpy's or torch's."""
    item = getattr(value, "item", None)
    return value if item is None else cast(Setting, item())


def _refuse_changed(module: nn.Module, name: str) -> None:
    """Refuse a module that computes something else than its class."""
    where = f"{name or 'the module'} ({type(module).__name__})"
    if is_parametrized(module):
        raise FileFormatError(
            f"{where} has parametrisations: make their values its weights first, with "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    if module._forward_hooks or module._forward_pre_hooks:
        raise FileFormatError(
            f"{where} has forward hooks, which a file does not hold: remove them first; those of "
            "weight_norm and pruning have their own remove function"
        )
    if "forward" in module.__dict__:
        raise FileFormatError(f"{where} has a forward of its own: {_ADVICE}")


_ADVICE = "only known parts can be saved; put those that it uses into recurra.nn.Stack(…), one after the other"


def _weight(name: str, tensor: Tensor) -> Weight:
    if tensor.is_meta:
        raise FileFormatError(f"weight {name} is on the device meta: it has no numbers")
    if tensor.layout is not torch.strided:
        raise FileFormatError(f"weight {name} is not dense, but {str(tensor.layout).removeprefix('torch.')}")
    tensor = tensor.cpu().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        return Weight(tensor.contiguous().view(torch.int16).numpy().view("uint16").copy(), "bfloat16")
    try:
        return Weight.of(tensor.contiguous().numpy().copy())
    except (FileFormatError, TypeError) as error:  # numpy does not have all of torch's dtypes
        raise FileFormatError(f"weight {name}, {tensor.dtype}: {error}") from None


def build(description: Description) -> nn.Module:
    """Make the module that a description describes, on the CPU, in evaluation mode; tied weights are one parameter.

    Raises:
        FileFormatError: a part has a name that torch's modules use themselves.
    """
    with torch.device("meta"):
        module = _made(description.root)
    put_weights(module, description.weights)
    return module.eval()


def put_weights(module: nn.Module, weights: Mapping[str, Weight]) -> None:
    """Give a module new parameters; those with the same weight become one."""
    parameters: dict[int, nn.Parameter] = {}
    for name, weight in weights.items():
        owner, _, last = name.rpartition(".")
        place = module.get_submodule(owner)
        if id(weight) not in parameters:
            earlier = getattr(place, last, None)
            is_trained = not isinstance(earlier, nn.Parameter) or earlier.requires_grad
            parameters[id(weight)] = nn.Parameter(tensor_of(weight), requires_grad=is_trained)
        setattr(place, last, parameters[id(weight)])


def tensor_of(weight: Weight) -> Tensor:
    """A weight as a tensor of its own dtype; int8 becomes float32."""
    if weight.dtype == "bfloat16":
        return torch.from_numpy(weight.data.view("int16").copy()).view(torch.bfloat16)
    if weight.dtype == "float16":
        return torch.from_numpy(weight.data.copy())
    return torch.from_numpy(weight.values().copy())


def _made(part: Part) -> nn.Module:
    if part.kind in CONTAINERS.values():
        cls = next(cls for cls, kind in CONTAINERS.items() if kind == part.kind)
        if cls is EncoderDecoder:
            return EncoderDecoder(**{name: _made(child) for name, child in part.children})
        module = cls()
        for name, child in part.children:
            if hasattr(module, name):
                raise FileFormatError(f"no part of a {part.kind} can have the name {name!r}")
            module.add_module(name, _made(child))
        return module
    return _MAKERS[part.kind](part)
