"""The zoo: each cell is its equations and the paper that they are from."""

from recurra.cells.standard import gru, lstm, rnn
from recurra.cells.zoo import (
    antisymmetric_rnn,
    fast_rnn,
    gru_reset_before,
    indrnn,
    layer_norm_lstm,
    mgu,
    min_gru,
    multiplicative_lstm,
    peephole_lstm,
)
from recurra.equations import Cell

__all__ = [
    "all",
    "antisymmetric_rnn",
    "fast_rnn",
    "gru",
    "gru_reset_before",
    "indrnn",
    "layer_norm_lstm",
    "lstm",
    "mgu",
    "min_gru",
    "multiplicative_lstm",
    "peephole_lstm",
    "rnn",
]


def all() -> dict[str, Cell]:
    """Every cell of the zoo by name."""
    return {name: value for name, value in sorted(globals().items()) if isinstance(value, Cell)}
