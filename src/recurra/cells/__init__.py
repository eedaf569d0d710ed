"""The zoo: each cell is its equations and the paper that they are from. A file holds one family."""

from recurra.cells.additive import ran, scrn
from recurra.cells.antisymmetric import antisymmetric_rnn, gated_antisymmetric_rnn
from recurra.cells.bistable import br, nbr
from recurra.cells.clockwork import clockwork_rnn
from recurra.cells.continuous import cfc, ltc
from recurra.cells.delayed import tau_gru
from recurra.cells.elementwise import min_gru, min_lstm, sru, sru_v1
from recurra.cells.exponential import slstm
from recurra.cells.fast import fast_grnn, fast_rnn
from recurra.cells.gated import atr, cfn, intersection_rnn, li_gru, light_ru, minimal_rnn, sgrn, star, ugrnn
from recurra.cells.gru_variants import dsgu, gru_reset_before, mgu, miru1, miru2, sgu
from recurra.cells.highway import rhn
from recurra.cells.independent import indrnn
from recurra.cells.layer_normalised import layer_norm_gru, layer_norm_lstm
from recurra.cells.legendre import lmu
from recurra.cells.linear import ema, lru, rg_lru
from recurra.cells.lstm_variants import (
    coupled_lstm,
    janet,
    mc_lstm,
    multiplicative_lstm,
    original_lstm,
    peephole_lstm,
    res_lstm,
    wmc_lstm,
)
from recurra.cells.ordered import on_lstm
from recurra.cells.oscillators import co_rnn, lem, unicornn
from recurra.cells.quasi_recurrent import qrnn_f, qrnn_fo, qrnn_ifo
from recurra.cells.reservoir import echo_state
from recurra.cells.searched import mut1, mut2, mut3, nas
from recurra.cells.skipping import skip_gru
from recurra.cells.standard import gru, lstm, rnn
from recurra.cells.strongly_typed import t_gru, t_lstm, t_rnn
from recurra.cells.timed import gru_d, phased_lstm, time_lstm_1, time_lstm_2, time_lstm_3
from recurra.equations import Cell

__all__ = [
    "all",
    "antisymmetric_rnn",
    "atr",
    "br",
    "cfc",
    "cfn",
    "clockwork_rnn",
    "co_rnn",
    "coupled_lstm",
    "dsgu",
    "echo_state",
    "ema",
    "fast_grnn",
    "fast_rnn",
    "gated_antisymmetric_rnn",
    "gru",
    "gru_d",
    "gru_reset_before",
    "indrnn",
    "intersection_rnn",
    "janet",
    "layer_norm_gru",
    "layer_norm_lstm",
    "lem",
    "li_gru",
    "light_ru",
    "lmu",
    "lru",
    "lstm",
    "ltc",
    "mc_lstm",
    "mgu",
    "min_gru",
    "min_lstm",
    "minimal_rnn",
    "miru1",
    "miru2",
    "multiplicative_lstm",
    "mut1",
    "mut2",
    "mut3",
    "nas",
    "nbr",
    "on_lstm",
    "original_lstm",
    "peephole_lstm",
    "phased_lstm",
    "qrnn_f",
    "qrnn_fo",
    "qrnn_ifo",
    "ran",
    "res_lstm",
    "rg_lru",
    "rhn",
    "rnn",
    "scrn",
    "sgrn",
    "sgu",
    "skip_gru",
    "slstm",
    "sru",
    "sru_v1",
    "star",
    "t_gru",
    "t_lstm",
    "t_rnn",
    "tau_gru",
    "time_lstm_1",
    "time_lstm_2",
    "time_lstm_3",
    "ugrnn",
    "unicornn",
    "wmc_lstm",
]


def all() -> dict[str, Cell]:
    """Every cell of the zoo by name."""
    return {name: value for name, value in sorted(globals().items()) if isinstance(value, Cell)}
