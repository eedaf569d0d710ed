"""Networks whose parts run at different speeds."""

import math

from recurra.equations import cell, concat, floor, split, sum, tanh, where


@cell(sizes={"t": 1})
def clockwork_rnn(x, h, t, *, W, U, b, periods=(1, 2, 4, 8)):
    """Clockwork RNN: modules of units that wake in turn (Koutník et al. 2014, ICML, eqs. 1–2 and section 3).

    ``periods`` are ascending whole numbers, one for each module of hidden/modules units. A module computes at steps
    that its period divides, the first step of a sequence among them, and else keeps its state. It sees itself and the
    slower modules: U holds the blocks of the upper triangle side by side, module by module. The state t counts steps,
    modulo the least common multiple of the periods.
    """
    count = len(periods)
    modules, sums = split(h, count), list(split(x @ W + b, count))
    blocks = iter(split(U, count * (count + 1) // 2))
    clock = sum(t)
    new = []
    for number, period in enumerate(periods):
        for slower in range(number, count):
            sums[number] = sums[number] + modules[slower] @ next(blocks)
        new.append(where(floor(clock / period) * period == clock, tanh(sums[number]), modules[number]))
    h = concat(*new)
    t = where(t + 1 < math.lcm(*periods), t + 1, 0)
    return h, t
