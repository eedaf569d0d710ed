"""Random cells, and the plainest way to run a program: every equation in every step."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

import recurra
from recurra import cell
from recurra.compiler import Plan, trace
from recurra.compiler.schedule import program_schedule
from recurra.program import Program, Size, Sizes


def random_cell(seed: int, differentiable: bool = False) -> recurra.Cell:
    """A cell of random equations that uses every argument.

    With ``differentiable`` nothing in it has a kink, and numbers stay small, so that finite differences are accurate.
    """

    @cell
    def randomly(x, h, c, *, W, U, V, M, R, b, p, q, s):
        draw = random.Random(seed)
        A = M - M.T - recurra.scalar(s) * recurra.eye()
        values = [x @ W, h, c, h @ U, p * c, recurra.heads(h, 2) @ R, x @ V + b, h @ A]
        smooth = [recurra.sigmoid, recurra.tanh, recurra.sin, recurra.cos, recurra.softplus, recurra.softmax]
        smooth += [recurra.cumsum, lambda v: recurra.exp(recurra.tanh(v)), lambda v: recurra.sqrt(v * v + 1)]
        smooth += [recurra.layer_norm, recurra.rms_norm, lambda v: v * recurra.mean(v), lambda v: recurra.sum(v) + v]
        smooth += [
            lambda v: recurra.log(v * v + 1.5),
            lambda v: (v * v + 1) ** 0.5,
            lambda v: -v,
            lambda v: 1 / (v * v + 2),
            recurra.erf,
            recurra.gelu,
        ]
        kinked = [recurra.relu, recurra.abs, lambda v: recurra.clip(v, -0.5, 0.5), lambda v: v - recurra.max(v)]
        # Steps, combined so that a rounding error before them makes only a small one after them.
        kinked += [
            lambda v: (v + 0.5) * recurra.sign(v + 0.5),
            lambda v: (v - recurra.floor(v)) * (1 - v + recurra.floor(v)),
        ]
        for _ in range(draw.randrange(3, 12)):
            a, d = draw.choice(values), draw.choice(values)
            kind = draw.randrange(8)
            if kind < 3:
                made = draw.choice(smooth if differentiable else smooth + kinked)(a)
            elif kind == 3:
                made = a + d
            elif kind == 4:
                made = recurra.tanh(a) * d
            elif kind == 5:
                halves = recurra.split(a, 2)
                made = recurra.concat(halves[1] + d_half(d), halves[0])
            elif kind == 6 and not differentiable:
                made = recurra.where(a > d, a, recurra.minimum(d, recurra.maximum(a, 0.1)))
            else:
                made = (recurra.tanh(a) @ U) + a * q
            values.append(recurra.tanh(made) if draw.random() < 0.7 else made * 0.5)
        total = values[0]
        for value in values[1:]:
            total = total + 0.3 * value
        h = recurra.tanh(total * q)
        c = recurra.tanh(draw.choice(values) + 0.5 * c)
        return h, c

    return randomly


def d_half(value):
    """The first half of a vector."""
    return recurra.split(value, 2)[0]


def unscheduled(program: Program) -> Plan:
    """A plan in which every equation, parameters' too, runs in every step."""
    scheduled = program_schedule(program)
    stages = dict.fromkeys(("once", "before", "after"), ())
    return Plan(program, program, replace(scheduled, step=program.computed, **stages))


def random_inputs(program: Program, seed: int, batch_sizes: list[int], hidden: int = 4, width: int = 3):
    """x, states, parameters and sizes for a program, as float64 numpy arrays."""
    numbers = np.random.default_rng(seed)
    sizes = Sizes(width, hidden)

    def array(shape: tuple[Size, ...], leading: tuple[int, ...] = ()):
        return numbers.uniform(-1, 1, (*leading, *(size.value(sizes) for size in shape)))

    x = array(program.input.shape, (sum(batch_sizes),))
    states = [array(state.shape, (batch_sizes[0],)) for state in program.states]
    parameters = [array(parameter.shape) for parameter in program.parameters]
    return x, states, parameters, sizes


def random_program(seed: int, differentiable: bool = False) -> Program:
    """The traced program of a random cell."""
    return trace(random_cell(seed, differentiable))
