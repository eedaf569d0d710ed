"""The embedding before a model's recurrent layers, and the linear map behind them."""

from __future__ import annotations

from recurra.conversion.arrays import Arrays
from recurra.conversion.layer import BuiltPart, label_of
from recurra.conversion.names import Names, find, keras_scheme, torch_scheme
from recurra.model import Part
from recurra.model.kinds import features as features_of

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


def output(arrays: Arrays, given: Names, before: BuiltPart | None) -> BuiltPart:
    """The linear map.

    Args:
        arrays: all arrays of the source.
        given: the prefix of the names of its arrays, or the names by role: weight (out, in) or kernel (in, out), and
            bias.
        before: the part whose features the map takes; None where these are not known.

    Raises:
        RecurraError: there is no such map, or its shapes do not fit.
    """
    found = find("output", arrays.names, given, _MAPS)
    [[roles]] = found.scans
    scan, label = arrays.by_role(roles), label_of(given, found, "output")
    role, other = ("weight", "kernel") if "weight" in scan else ("kernel", "weight")
    matrix = scan[role]
    values = matrix.array if role == "weight" else matrix.array.T
    if values.ndim != 2:
        raise matrix.mismatch("(out, in)" if role == "weight" else "(in, out)")
    needed = values.shape[1] if before is None else features_of(before.part)[1]
    if before is not None and values.shape[1] != needed:
        if values.shape[0] != needed:
            raise before.unfit(label, values.shape[1])
        expected = f"(out, in={needed})" if role == "weight" else f"(in={needed}, out)"
        raise matrix.mismatch(expected, f"the other way round it is output={{{other!r}: …}}")
    weights = {"weight": values}
    if "bias" in scan:
        weights["bias"] = scan["bias"].array
        if scan["bias"].shape != values.shape[:1]:
            raise scan["bias"].mismatch(f"(out={values.shape[0]},)")
    settings = {"in_features": values.shape[1], "out_features": values.shape[0], "bias": "bias" in scan}
    text = f"output {', '.join(roles.values())} {matrix.shape}"
    return BuiltPart("output", Part("Linear", settings), weights, label, text)
