"""Cells that are an LSTM, a GRU or a simple recurrent network, each written in one of thousands of ways."""

from __future__ import annotations

import random

import recurra

KINDS = {"LSTM": "ifgo", "GRU": "rzn", "RNN_TANH": "a", "RNN_RELU": "a"}

LSTM_C = ("f * c + i * g", "i * g + f * c", "g * i + c * f", "c * f - (-i) * g", "(f * c) + (g * i)")
LSTM_H = ("o * tanh(c)", "tanh(c) * o", "-(-tanh(c) * o)")
GRU_H = (
    "(1 - z) * n + z * h",
    "z * h + (1 - z) * n",
    "n + z * (h - n)",
    "n - z * n + h * z",
    "n - z * (n - h)",
    "h * z + n * (1 - z)",
)


def known_source(kind: str, seed: int) -> str:
    """A cell of a kind as source text."""
    draw = random.Random(seed)
    writer = _Writer(draw, KINDS[kind])
    hidden = "hc" if kind == "LSTM" else "h"
    if kind == "GRU":
        xs, hs = writer.products("x", "W", "b"), writer.products("h", "U", "d")
        lines = [f"{gate} = sigmoid({writer.sum(xs[gate], hs[gate])})" for gate in draw.sample("rz", 2)]
        reset = draw.choice(["r * ({})", "({}) * r"]).format(" + ".join(hs["n"]))
        if draw.random() < 0.3:
            reset = " + ".join(f"{term} * r" for term in hs["n"])
        lines += [f"n = tanh({writer.sum(xs['n'], [reset])})", f"h = {draw.choice(GRU_H)}"]
    else:
        affine = writer.joint() if draw.random() < 0.3 else writer.both()
        if kind == "LSTM":
            lines = [f"{g} = {'tanh' if g == 'g' else 'sigmoid'}({affine[g]})" for g in draw.sample("ifgo", 4)]
            lines += [f"c = {draw.choice(LSTM_C)}", f"h = {draw.choice(LSTM_H)}"]
        else:
            lines = [f"h = {kind[4:].lower()}({affine['a']})"]
    return writer.source(hidden, lines)


def compiled(source: str) -> recurra.Cell:
    """The cell that source text defines."""
    names = {name: getattr(recurra, name) for name in ("cell", "concat", "relu", "scalar", "sigmoid", "split", "tanh")}
    exec(source, names)
    return names["known"]


class _Writer:
    def __init__(self, draw: random.Random, gates: str) -> None:
        self.draw = draw
        self.gates = draw.sample(gates, len(gates))
        self.parameters: list[str] = []
        self.lines: list[str] = []

    def products(self, vector: str, weight: str, bias: str) -> dict[str, list[str]]:
        """For each gate, the terms of its affine map of a vector."""
        turned = self.draw.choice(["", ".T"])
        biases = self.draw.randrange(3 if bias == "b" else 2)
        if self.draw.random() < 0.5:
            self.parameters += [weight, *(f"{bias}{n}" for n in range(biases))]
            parts = [f"{vector}_{gate}" for gate in self.gates]
            terms = [f"{vector} @ {weight}{turned}", *(f"{bias}{n}" for n in range(biases))]
            self.lines.append(f"{', '.join(parts)}, = split({self.sum(terms)}, {len(parts)})")
            return {gate: [part] for gate, part in zip(self.gates, parts, strict=True)}
        terms = {}
        for gate in self.gates:
            names = [f"{bias}{n}_{gate}" for n in range(biases)]
            self.parameters += [f"{weight}_{gate}", *names]
            terms[gate] = [f"{vector} @ {weight}_{gate}{turned}", *names]
        return terms

    def both(self) -> dict[str, str]:
        xs, hs = self.products("x", "W", "b"), self.products("h", "U", "d")
        return {gate: self.sum(xs[gate], hs[gate]) for gate in self.gates}

    def joint(self) -> dict[str, str]:
        """One matrix for input and state together."""
        self.parameters += ["V", "b"]
        turned, pair = self.draw.choice(["", ".T"]), self.draw.choice(["x, h", "h, x"])
        parts = [f"a_{gate}" for gate in self.gates]
        self.lines.append(f"{', '.join(parts)}, = split(concat({pair}) @ V{turned} + b, {len(parts)})")
        return dict(zip(self.gates, parts, strict=True))

    def sum(self, *groups: list[str]) -> str:
        terms = [term for group in groups for term in group]
        self.draw.shuffle(terms)
        if len(terms) > 2 and self.draw.random() < 0.5:
            return f"{terms[0]} + ({' + '.join(terms[1:])})"
        return " + ".join(terms)

    def source(self, states: str, lines: list[str]) -> str:
        self.draw.shuffle(self.parameters)
        head = f"@cell\ndef known(x, {', '.join(states)}, *, {', '.join(self.parameters)}):\n"
        return head + "".join(f"    {line}\n" for line in [*self.lines, *lines, f"return {', '.join(states)}"])
