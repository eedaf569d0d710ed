"""Plain loops over torch.nn's cells, by which gates and gradients are judged."""

import torch
from torch.nn import functional


def lstm_loop(module, x, layer=0, reverse=False):
    """The gates of an LSTM's layer over (steps, features), each a list of tensors (units,) in the order of time."""
    suffix = f"_l{layer}" + "_reverse" * reverse
    w_ih, w_hh, b_ih, b_hh = (
        getattr(module, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = c = x.new_zeros(module.hidden_size)
    kept = {name: [] for name in "ifgoch"}
    for row in reversed(x) if reverse else x:
        i, f, g, o = (functional.linear(row, w_ih, b_ih) + functional.linear(h, w_hh, b_hh)).chunk(4)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        for name, value in zip("ifgoch", (i, f, g, o, c, h), strict=True):
            kept[name].append(value)
    return {name: values[::-1] if reverse else values for name, values in kept.items()}


def gru_loop(module, x, layer=0, reverse=False):
    """The gates of a GRU's layer, as :func:`lstm_loop`."""
    suffix = f"_l{layer}" + "_reverse" * reverse
    w_ih, w_hh, b_ih, b_hh = (
        getattr(module, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = x.new_zeros(module.hidden_size)
    kept = {name: [] for name in "rznh"}
    for row in reversed(x) if reverse else x:
        (a_r, a_z, a_n), (b_r, b_z, b_n) = (
            functional.linear(row, w_ih, b_ih).chunk(3),
            functional.linear(h, w_hh, b_hh).chunk(3),
        )
        r, z = (a_r + b_r).sigmoid(), (a_z + b_z).sigmoid()
        n = (a_n + r * b_n).tanh()
        h = n + z * (h - n)
        for name, value in zip("rznh", (r, z, n, h), strict=True):
            kept[name].append(value)
    return {name: values[::-1] if reverse else values for name, values in kept.items()}


LOOPS = {"LSTM": lstm_loop, "GRU": gru_loop}


def stacked(values):
    return torch.stack(values).detach().numpy()
