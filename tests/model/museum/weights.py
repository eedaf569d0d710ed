"""Models whose weights do not fit."""

from tests.model.museum.exhibits import bytes_of, closed, entry, exhibits, opened
from tests.runtime.models import described, linear


def weights(change):
    """A model whose arrays are changed."""
    header, description, body = opened(bytes_of(described(linear(2, 3))))
    made = {name: each for name, each in header.items() if name != "__metadata__"}
    body = change(made) or body
    return closed(made, description, body)


exhibits(
    "weights",
    {
        "one missing": lambda made: (made.pop("bias"), made["weight"].update(data_offsets=[0, 24]), bytes(24))[-1],
        "one too many": lambda made: (made.update(other=entry(offsets=(36, 40))), bytes(40))[-1],
        "of another shape": lambda made: made["weight"].update(shape=[3, 2][::-1]),
        "of another rank": lambda made: made["weight"].update(shape=[6]),
        "whole numbers": lambda made: made["weight"].update(dtype="I64", shape=[3, 1]),
        "of two precisions": lambda made: (
            made["weight"].update(dtype="F64", data_offsets=[0, 48]),
            made["bias"].update(data_offsets=[48, 60]),
            bytes(60),
        )[-1],
        "int8 without a scale": lambda made: (
            made["bias"].update(data_offsets=[0, 12]),
            made["weight"].update(dtype="I8", data_offsets=[12, 18]),
            bytes(18),
        )[-1],
        "int8 with too few scales": lambda made: (
            made["bias"].update(data_offsets=[0, 12]),
            made.update({"weight.scale": entry(shape=(2,), offsets=(12, 20))}),
            made["weight"].update(dtype="I8", data_offsets=[20, 26]),
            bytes(26),
        )[-1],
        "int8 with a scale of float64": lambda made: (
            made["bias"].update(data_offsets=[24, 36]),
            made.update({"weight.scale": entry("F64", (3,), (0, 24))}),
            made["weight"].update(dtype="I8", data_offsets=[36, 42]),
            bytes(42),
        )[-1],
    },
    weights,
)
