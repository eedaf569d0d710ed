"""The words for the variables of known cells: one table, by cell and variable.

A name with a prime, such as ``c'``, is the new value of a state. Where equations differ from the cell of that name in
``recurra.cells``, the words come from the equations themselves (``look/meanings.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

CellWords = Mapping[str, str]

# The words that all cells share.
STATES = {
    "x": "input of this step",
    "h": "hidden state: the output of the step before",
    "h'": "new hidden state: the output of this step",
}
PROJECTION = {
    "before": "new hidden state, before its projection",
    "after": "new hidden state, projected: the output of this step",
    "weight_hr": "weights of the projection of h",
}

_LSTM_STATES = {
    **STATES,
    "c": "cell state: the memory of the step before",
    "c'": "new cell state: what is kept of c, and what is added",
}
_LSTM_GATES = {
    "i": "input gate: how much of the candidate g enters c",
    "f": "forget gate: how much of c is kept",
    "g": "candidate: what may enter c, from -1 to 1",
    "o": "output gate: how much of the new c is shown as h",
}
_LSTM_SUMS = {
    "a_i": "input gate i before its sigmoid",
    "a_f": "forget gate f before its sigmoid",
    "a_g": "candidate g before its tanh",
    "a_o": "output gate o before its sigmoid",
}
_GRU_GATES = {
    "r": "reset gate: how much of h the candidate n sees",
    "z": "update gate: how much of h is kept",
    "n": "candidate: what may replace h, from -1 to 1",
}


def _gates(table: CellWords, input_name: str, state_name: str, bias: str) -> dict[str, str]:
    """The words for parameters that each gate has for itself: ``W_i``, ``U_i``, ``b_i`` …"""
    words = {}
    for gate, meaning in table.items():
        name = meaning.partition(":")[0]
        words[f"{input_name}_{gate}"] = f"input-to-hidden weights of the {name} {gate}"
        words[f"{state_name}_{gate}"] = f"hidden-to-hidden weights of the {name} {gate}"
        words[f"{bias}_{gate}"] = f"bias of the {name} {gate}"
    return words


def _stacked(gates: str) -> dict[str, str]:
    """The words for parameters that hold all gates, one after the other, as torch.nn's do."""
    return {
        "weight_ih": f"input-to-hidden weights of {gates}",
        "weight_hh": f"hidden-to-hidden weights of {gates}",
        "bias_ih": f"bias beside weight_ih, of {gates}",
        "bias_hh": f"bias beside weight_hh, of {gates}",
    }


WORDS: Mapping[str, CellWords] = {
    "rnn": {
        **STATES,
        "weight_ih": "input-to-hidden weights",
        "weight_hh": "hidden-to-hidden weights",
        "bias_ih": "bias beside weight_ih",
        "bias_hh": "bias beside weight_hh",
    },
    "lstm": {**_LSTM_STATES, **_stacked("i, f, g, o"), **_LSTM_SUMS, **_LSTM_GATES},
    "gru": {
        **STATES,
        **_stacked("r, z, n"),
        "r_x": "input's part of the reset gate r",
        "z_x": "input's part of the update gate z",
        "n_x": "input's part of the candidate n",
        "r_h": "state's part of the reset gate r",
        "z_h": "state's part of the update gate z",
        "n_h": "state's part of the candidate n, before the reset gate",
        **_GRU_GATES,
    },
    "peephole_lstm": {
        **_LSTM_STATES,
        **_gates(_LSTM_GATES, "W", "U", "b"),
        "p_i": "peephole: weights by which the input gate i sees c",
        "p_f": "peephole: weights by which the forget gate f sees c",
        "p_o": "peephole: weights by which the output gate o sees the new c",
        **_LSTM_GATES,
    },
    "layer_norm_lstm": {
        **_LSTM_STATES,
        "W": "input-to-hidden weights of i, f, g, o",
        "U": "hidden-to-hidden weights of i, f, g, o",
        "b": "bias of i, f, g, o",
        "gamma_x": "scale of the normalised x @ W",
        "gamma_h": "scale of the normalised h @ U",
        "gamma_c": "scale of the normalised c",
        "beta_c": "shift of the normalised c",
        "a": "sums of all gates, before they are cut",
        **_LSTM_SUMS,
        **_LSTM_GATES,
    },
    "multiplicative_lstm": {
        **_LSTM_STATES,
        "W_m": "input's weights of the product m",
        "U_m": "state's weights of the product m",
        "W": "input-to-hidden weights of i, f, g, o",
        "M": "weights from m to i, f, g, o",
        "b": "bias of i, f, g, o",
        "m": "product of input and state: what the gates see in place of h",
        **_LSTM_SUMS,
        **_LSTM_GATES,
    },
    "gru_reset_before": {**STATES, **_gates(_GRU_GATES, "W", "U", "b"), **_GRU_GATES},
    "mgu": {
        **STATES,
        **_gates({"f": "forget gate", "n": "candidate"}, "W", "U", "b"),
        "f": "forget gate: how much of h the candidate sees, and is replaced",
        "n": "candidate: what may replace h, from -1 to 1",
    },
    "min_gru": {
        **STATES,
        "W_z": "input-to-hidden weights of the update gate z",
        "b_z": "bias of the update gate z",
        "W_n": "input-to-hidden weights of the candidate n",
        "b_n": "bias of the candidate n",
        "z": "update gate: how much of h is replaced",
        "n": "candidate: what may replace h; it does not see h",
    },
    "fast_rnn": {
        **STATES,
        "W": "input-to-hidden weights",
        "U": "hidden-to-hidden weights",
        "b": "bias of the candidate n",
        "alpha": "one number: sigmoid(alpha) is the share of n",
        "beta": "one number: sigmoid(beta) is the share of h that is kept",
        "n": "candidate: what is added to h, from -1 to 1",
    },
    "indrnn": {
        **STATES,
        "W": "input-to-hidden weights",
        "u": "one weight for each unit: how it sees its own last value",
        "b": "bias",
    },
    "antisymmetric_rnn": {
        **STATES,
        "W": "input-to-hidden weights",
        "M": "hidden-to-hidden weights, before they are made antisymmetric",
        "b": "bias",
        "A": "M - M.T, less a little of the identity: keeps h stable",
    },
}
