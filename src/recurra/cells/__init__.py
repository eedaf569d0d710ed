"""The zoo: each cell is its equations and the paper that they are from."""

from recurra.cells.antisymmetric import gated_antisymmetric_rnn
from recurra.cells.clockwork import clockwork_rnn
from recurra.cells.elementwise import min_lstm, sru, sru_v1
from recurra.cells.exponential import slstm
from recurra.cells.highway import rhn
from recurra.cells.legendre import lmu
from recurra.cells.linear import ema, lru, rg_lru
from recurra.cells.ordered import on_lstm
from recurra.cells.oscillators import co_rnn, lem, unicornn
from recurra.cells.reservoir import echo_state
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
    "clockwork_rnn",
    "co_rnn",
    "echo_state",
    "ema",
    "fast_rnn",
    "gated_antisymmetric_rnn",
    "gru",
    "gru_reset_before",
    "indrnn",
    "layer_norm_lstm",
    "lem",
    "lmu",
    "lru",
    "lstm",
    "mgu",
    "min_gru",
    "min_lstm",
    "multiplicative_lstm",
    "on_lstm",
    "peephole_lstm",
    "rg_lru",
    "rhn",
    "rnn",
    "slstm",
    "sru",
    "sru_v1",
    "unicornn",
]


def all() -> dict[str, Cell]:
    """Every cell of the zoo by name."""
    return {name: value for name, value in sorted(globals().items()) if isinstance(value, Cell)}
