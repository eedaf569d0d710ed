"""Attention between sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recurra.conversion.keras_graphs.table import LayerWeights, RuleCall, keras_rule, known_width
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter

_LITTLE = 1e9  # is subtracted from the scores of steps that a mask hides


def _three(call: RuleCall) -> tuple[KerasValue, KerasValue, KerasValue]:
    """Query, value and key of [query, value] or [query, value, key].

    Raises:
        ValueError: there are others.
    """
    values = call.values
    if len(values) not in (2, 3) or any(value.rank != 3 for value in values):
        raise ValueError("its inputs must be query and value, and key perhaps, each (batch, steps, features)")
    return values[0], values[1], values[2] if len(values) == 3 else values[1]


def _given_masks(call: RuleCall, query: KerasValue, value: KerasValue) -> tuple[str | None, str | None]:
    """The masks of query and value: those that were given, else their own."""
    given = call.options.get("mask")
    if isinstance(given, list):
        masks = [each.name if isinstance(each, KerasValue) else None for each in given]
        return (*masks, None, None)[0], (*masks, None, None)[1]
    return query.mask, value.mask


def _seen(w: KerasWriter, call: RuleCall, query: KerasValue, value: KerasValue, mask: str | None) -> str | None:
    """The truth values that say which query sees which value, (…, queries, values); None where each sees all."""
    seen = [] if mask is None else [str(w.node("Unsqueeze", mask, w.whole(1)))]
    if call.options.get("use_causal_mask") is True:
        rows, columns = (_numbers(w, each.name) for each in (query, value))
        seen.append(str(w.node("GreaterOrEqual", w.node("Unsqueeze", rows, w.whole(1)), columns)))
    return w.together("And", seen) if seen else None


def _numbers(w: KerasWriter, x: str) -> str:
    """The numbers 0, 1, … of the steps of a value."""
    count = w.node("Squeeze", w.size(x, 1), w.whole(0))
    return str(w.node("Range", w.scalar(0), count, w.scalar(1)))


def _weighted(
    w: KerasWriter, call: RuleCall, scores: str, operands: Sequence[KerasValue]
) -> KerasValue | list[KerasValue]:
    """The sum of the values by the softmax of the scores, and these where they are wanted."""
    query, value, _ = operands
    query_mask, value_mask = _given_masks(call, query, value)
    seen = _seen(w, call, query, value, value_mask)
    if seen is not None:
        scores = str(w.node("Where", seen, scores, w.node("Sub", scores, w.constant(_LITTLE))))
    weights = str(w.node("Softmax", scores, axis=-1))
    y = str(w.node("MatMul", weights, w.real(value)))
    if query_mask is not None:
        y = str(w.node("Where", w.node("Unsqueeze", query_mask, w.whole(2)), y, w.constant(0.0)))
    result = KerasValue(y, (None, query.shape[1], value.shape[2]), query_mask)
    wants_scores = call.options.get("return_attention_scores") is True or call.flag("return_attention_scores")
    return [result, KerasValue(weights, (None, query.shape[1], value.shape[1]))] if wants_scores else result


@keras_rule("Attention")
def _attention(w: KerasWriter, call: RuleCall) -> KerasValue | list[KerasValue]:
    """Luong's attention: scores are products of queries and keys."""
    query, value, key = _three(call)
    mode = call.settings.get("score_mode", "dot")
    roles = [*(["scale"] if call.flag("use_scale") else []), *(["concat_score_weight"] if mode == "concat" else [])]
    arrays = dict(zip(roles, call.weights.take(*roles), strict=True)) if roles else {}
    if any(array.size != 1 for array in arrays.values()):
        raise ValueError("its scale must be one number")
    scale = w.constant(arrays["scale"].reshape(())) if "scale" in arrays else None
    if mode == "dot":
        scores = str(w.node("MatMul", w.real(query), w.transpose(w.real(key), (0, 2, 1))))
        scores = scores if scale is None else str(w.node("Mul", scores, scale))
    elif mode == "concat":
        scores = _added(w, query, key, scale)
        scores = str(w.node("Mul", scores, w.constant(arrays["concat_score_weight"].reshape(()))))
    else:
        raise ValueError(f"score_mode={str(mode)[:40]!r} is not supported")
    return _weighted(w, call, scores, (query, value, key))


def _added(w: KerasWriter, query: KerasValue, key: KerasValue, scale: str | None, inside: bool = True) -> str:
    """The sum over the features of tanh(query + key); a scale is inside of tanh, or multiplies each feature."""
    summed = w.node("Add", w.node("Unsqueeze", w.real(query), w.whole(2)), w.node("Unsqueeze", w.real(key), w.whole(1)))
    if scale is not None and inside:
        summed = w.node("Mul", summed, scale)
    y = w.node("Tanh", summed)
    if scale is not None and not inside:
        y = w.node("Mul", y, scale)
    return str(w.node("ReduceSum", y, w.whole(-1), keepdims=0))


@keras_rule("AdditiveAttention")
def _additive(w: KerasWriter, call: RuleCall) -> KerasValue | list[KerasValue]:
    """Bahdanau's attention: scores are sums of tanh(query + key), each feature by a scale."""
    query, value, key = _three(call)
    scale = None
    if call.flag("use_scale", True):
        (given,) = call.weights.take("scale")
        if given.shape not in ((known_width(query),), ()):
            raise ValueError(f"scale ({known_width(query)},) is needed; it has {given.shape}")
        scale = w.constant(given, f"{w.label}.scale")
    return _weighted(w, call, _added(w, query, key, scale, inside=False), (query, value, key))


@keras_rule("MultiHeadAttention")
def _multi_head(w: KerasWriter, call: RuleCall) -> KerasValue | list[KerasValue]:
    """Attention of several heads, each with queries, keys and values of its own."""
    named = {name: value for name, value in call.options.items() if name in ("query", "value", "key")}
    values = [*call.values, *(named[name] for name in ("query", "value", "key")[len(call.values) :] if name in named)]
    if len(values) not in (2, 3) or any(not isinstance(v, KerasValue) or v.rank != 3 for v in values):
        raise ValueError("its inputs must be query and value, and key perhaps, each (batch, steps, features)")
    if call.flag("use_gate") or call.settings.get("sliding_window") is not None:
        raise ValueError("use_gate and sliding_window are not supported")
    query, value = values[0], values[1]
    key = values[2] if len(values) == 3 else value
    heads, size = call.size("num_heads"), call.size("key_dim")
    q, k, v = (_heads(w, call, each, part) for each, part in ((query, "query"), (key, "key"), (value, "value")))
    scores = str(w.node("MatMul", w.node("Mul", q, w.constant(1 / math.sqrt(size))), w.transpose(k, (0, 1, 3, 2))))
    seen = _seen_by_heads(w, call, query, value, key)
    if seen is not None:
        scores = str(w.node("Where", seen, scores, w.node("Sub", scores, w.constant(_LITTLE))))
    weights = str(w.node("Softmax", scores, axis=-1))
    joined = w.transpose(w.node("MatMul", weights, v), (0, 2, 1, 3))
    kernel, *bias = _part(call, "attention_output", "_output_dense").take("kernel", *call.bias_roles)
    if kernel.ndim != 3 or kernel.shape[0] != heads:
        raise ValueError(f"the output's kernel ({heads} heads, size, features) is needed; it has {kernel.shape}")
    matrix = kernel.reshape(-1, kernel.shape[2])
    flat = w.node("Reshape", joined, w.whole(0, 0, matrix.shape[0]))
    y = w.node("MatMul", flat, w.constant(matrix, f"{w.label}.output"))
    y = w.node("Add", y, w.constant(bias[0], f"{w.label}.output_bias")) if bias else y
    result = KerasValue(str(y), (None, query.shape[1], matrix.shape[1]), query.mask)
    if call.options.get("return_attention_scores") is True:
        return [result, KerasValue(weights, (None, heads, query.shape[1], key.shape[1]))]
    return result


def _part(call: RuleCall, *names: str) -> LayerWeights:
    """The arrays of a layer inside, by one of its names: files that number layers have those of attributes."""
    found = [call.weights.under(name) for name in names]
    return next((each for each in found if each.names), found[0])


def _heads(w: KerasWriter, call: RuleCall, x: KerasValue, part: str) -> str:
    """The queries, keys or values of all heads, (batch, heads, steps, size)."""
    kernel, *bias = _part(call, part, f"_{part}_dense").take("kernel", *call.bias_roles)
    width = known_width(x)
    if kernel.ndim != 3 or kernel.shape[0] != width or any(each.shape != kernel.shape[1:] for each in bias):
        raise ValueError(f"the {part}'s kernel ({width}, heads, size) is needed; it has {kernel.shape}")
    y = w.node("MatMul", w.real(x), w.constant(kernel.reshape(width, -1), f"{w.label}.{part}"))
    if bias:
        y = w.node("Add", y, w.constant(bias[0].reshape(-1), f"{w.label}.{part}_bias"))
    return w.transpose(w.node("Reshape", y, w.whole(0, 0, *kernel.shape[1:])), (0, 2, 1, 3))


def _seen_by_heads(w: KerasWriter, call: RuleCall, query: KerasValue, value: KerasValue, key: KerasValue) -> str | None:
    """The truth values that say which query sees which key, (batch, 1, queries, keys); None where each sees all."""
    options = call.options
    masks = {}
    for name, own in (("query", query), ("value", value), ("key", key if key is not value else None)):
        given = options.get(f"{name}_mask")
        masks[name] = given.name if isinstance(given, KerasValue) else None if own is None else own.mask
    seen = [
        str(w.node("Unsqueeze", mask, w.whole(2 if name == "query" else 1)))
        for name, mask in masks.items()
        if mask is not None
    ]
    if isinstance(options.get("attention_mask"), KerasValue):
        seen.append(w.truth(options["attention_mask"]))
    causal = _seen(w, call, query, key, None)
    seen += [] if causal is None else [causal]
    if not seen:
        return None
    whole = w.together("And", seen)
    return whole if seen == [causal] else str(w.node("Unsqueeze", whole, w.whole(1)))
