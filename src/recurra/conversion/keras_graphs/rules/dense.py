"""Dense layers, embeddings, and layers that change nothing when a model is used."""

from __future__ import annotations

from recurra.conversion.keras_graphs.rules.activations import activated
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule, known_width
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter


@keras_rule(
    "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
    "Identity",
)  # fmt: skip
def _nothing(w: KerasWriter, call: RuleCall) -> KerasValue:
    return call.x


@keras_rule("Dense")
def _dense(w: KerasWriter, call: RuleCall) -> KerasValue:
    kernel, *bias = call.weights.take("kernel", *call.bias_roles)
    if kernel.ndim != 2 or kernel.shape[0] != known_width(call.x) or any(b.shape != kernel.shape[1:] for b in bias):
        shapes = " and ".join(str(each.shape) for each in (kernel, *bias))
        raise ValueError(f"kernel (in={known_width(call.x)}, out) and bias (out,) are needed; they have {shapes}")
    y = w.node("MatMul", w.real(call.x), w.constant(kernel, f"{w.label}.kernel"))
    if bias:
        y = w.node("Add", y, w.constant(bias[0], f"{w.label}.bias"))
    shape = (*call.x.shape[:-1], kernel.shape[1])
    return KerasValue(activated(w, y, call.layer), shape, call.x.mask)


@keras_rule("Embedding")
def _embedding(w: KerasWriter, call: RuleCall) -> KerasValue:
    (table,) = call.weights.take("embeddings")
    if table.ndim != 2:
        raise ValueError(f"embeddings (tokens, features) are needed; they have {table.shape}")
    tokens = w.whole_numbers(call.x)
    y = w.node("Gather", w.constant(table, f"{w.label}.embeddings"), tokens, axis=0)
    mask = w.not_equal(call.x, 0) if call.flag("mask_zero") else None
    return KerasValue(str(y), (*call.x.shape, table.shape[1]), mask)


@keras_rule("Masking")
def _masking(w: KerasWriter, call: RuleCall) -> KerasValue:
    """Mark steps all of whose features are a value, and set them to zero."""
    different = w.not_equal(call.x, call.number("mask_value", 0.0))
    is_seen = w.any(different, -1)
    wide = w.node("Unsqueeze", is_seen, w.whole(-1))
    y = w.node("Where", wide, w.real(call.x), w.constant(0.0))
    return KerasValue(str(y), call.x.shape, is_seen)
