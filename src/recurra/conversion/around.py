"""The embedding before a model's recurrent layers, and the linear map behind them."""

from __future__ import annotations

from typing import cast

from recurra.conversion.arrays import Arrays
from recurra.conversion.layer import BuiltPart, label_of
from recurra.conversion.names import Names, find, keras_scheme, torch_scheme
from recurra.model import Part
from recurra.model.kinds import features as model_features

_TABLES = [torch_scheme(("weight",), ()), keras_scheme(("embeddings",), ())]
_MAPS = [torch_scheme(("weight",), ("bias",)), keras_scheme(("kernel",), ("bias",))]


def embedding(arrays: Arrays, given: str) -> BuiltPart:
    """The embedding, a table with a row for each token.

    Args:
        arrays: all arrays of the source.
        given: the table's name, or a part of it that no other name has.

    Raises:
        RecurraError: there is no such table, or it is no matrix.
    """
    name = given
    if not isinstance(given, str) or given not in arrays.names:
        [[roles]] = find("embedding", arrays.names, given, _TABLES).scans
        [name] = roles.values()
    [table] = arrays.by_role({"embedding": name}).values()
    if len(table.shape) != 2:
        raise table.mismatch("(tokens, features)")
    settings = {"num_embeddings": table.shape[0], "embedding_dim": table.shape[1], "padding_idx": None}
    return BuiltPart(
        "embedding", Part("Embedding", settings), {"weight": table.array}, name, f"embedding {name} {table.shape}"
    )


def output(arrays: Arrays, given: Names, before: BuiltPart) -> BuiltPart:
    """The linear map.

    Args:
        arrays: all arrays of the source.
        given: the prefix of the names of its arrays, or the names by role: weight (out, in) or kernel (in, out), and
            bias.
        before: the part whose features the map takes.

    Raises:
        RecurraError: there is no such map, or its shapes do not fit.
    """
    found = find("output", arrays.names, given, _MAPS)
    [[roles]] = found.scans
    scan, label = arrays.by_role(roles), label_of(given, found, "output")
    features = cast(int, model_features(before.part)[1])  # never None for a layer
    if "weight" in scan:
        matrix, values, expected = scan["weight"], scan["weight"].array, f"(out, in={features})"
    else:
        matrix, values, expected = scan["kernel"], scan["kernel"].array.T, f"(in={features}, out)"
    if values.ndim != 2:
        raise matrix.mismatch(expected)
    if values.shape[1] != features:
        if values.shape[0] != features:
            raise before.unfit(label, values.shape[1])
        other = "kernel" if "weight" in scan else "weight"
        raise matrix.mismatch(expected, f"the other way round it is output={{{other!r}: …}}")
    weights = {"weight": values}
    if "bias" in scan:
        weights["bias"] = scan["bias"].array
        if scan["bias"].shape != values.shape[:1]:
            raise scan["bias"].mismatch(f"(out={values.shape[0]},)")
    settings = {"in_features": features, "out_features": values.shape[0], "bias": "bias" in scan}
    text = f"output {', '.join(roles.values())} {matrix.shape}"
    return BuiltPart("output", Part("Linear", settings), weights, label, text)
