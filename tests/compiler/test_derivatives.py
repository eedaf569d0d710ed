"""Each operation's derivative gives the gradients that torch's autograd finds."""

import inspect
import random

import pytest

import recurra
from recurra import cell
from recurra.compiler import plan, products_stored, trace
from recurra.compiler.derivatives import RULES, UNDIFFERENTIABLE
from tests.compiler.differentiation import (
    Case,
    everything,
    nothing,
    some,
)


def unary(f):
    """An operation on a vector, on a scalar of each row, and on two constants."""
    return [lambda a, b, p, s: f(a), lambda a, b, p, s: a * f(recurra.sum(b)), lambda a, b, p, s: a * f(p) + f(s)]


def binary(f):
    """An operation on two vectors, and with each kind of scalar, constant and number on either side."""
    kinds = [
        lambda a, b, p, s: (a, b),
        lambda a, b, p, s: (a, p),
        lambda a, b, p, s: (a, s),
        lambda a, b, p, s: (a, recurra.sum(b)),
        lambda a, b, p, s: (a, 1.0),
        lambda a, b, p, s: (p, s),
        lambda a, b, p, s: (recurra.max(a), s),
        lambda a, b, p, s: (a, a),
    ]
    pairs = [lambda *v, k=k: k(*v) for k in kinds] + [lambda *v, k=k: k(*v)[::-1] for k in kinds]
    return [lambda *v, k=k: v[0] * 0.5 + f(*k(*v)) for k in pairs]


def along(f):
    """A reduction of the rows and of the columns of a matrix, as a vector and as a matrix."""
    return [
        lambda a, b, p, s, M: square(a, M) + a @ (M * f(M * M, axis=0)) + b * f(M, axis=1),
        lambda a, b, p, s, M: square(a, M) + a @ (M * f(s * M, axis=-1, keepdims=True) - f(M, axis=0, keepdims=True)),
        lambda a, b, p, s, M: square(a, M) + a * f(M) + f(p, axis=0, keepdims=True) * a,
    ]


def square(a, *matrices):
    """A term that makes matrices (hidden, hidden)."""
    return sum(0.1 * a * (a @ M) for M in matrices)


ALONE = {
    "add": binary(lambda a, b: a + b),
    "subtract": binary(lambda a, b: a - b),
    "multiply": binary(lambda a, b: a * b),
    "divide": binary(lambda a, b: a / b),
    "power": [
        *binary(lambda a, b: a**b),
        *(f for exponent in (2, 3, 0, 0.5, -1, 1.5, 1) for f in unary(lambda a, e=exponent: a**e)),
        *(f for base in (0.0, 2.0, -2.0) for f in unary(lambda a, base=base: base**a)),
    ],
    "negative": unary(lambda a: -a),
    **{
        name: unary(getattr(recurra, name))
        for name in ("sigmoid", "tanh", "relu", "exp", "log", "softplus", "sqrt", "abs", "sin", "cos", "erf")
    },
    "minimum": binary(recurra.minimum),
    "maximum": binary(recurra.maximum),
    "clip": [
        lambda a, b, p, s: recurra.clip(a, b, 1.0),
        lambda a, b, p, s: recurra.clip(a, -1.0, b),
        lambda a, b, p, s: recurra.clip(a, b, p),
        lambda a, b, p, s: recurra.clip(a, s, recurra.sum(b)),
        lambda a, b, p, s: recurra.clip(a, a, b),
        lambda a, b, p, s: a * recurra.clip(p, s, p),
        *unary(lambda a: recurra.clip(a, -0.5, 0.5)),
        *unary(lambda a: recurra.clip(a, 0.5, -0.5)),
    ],
    "where": [
        *binary(lambda a, b: recurra.where(a > b, a, b)),
        *binary(lambda a, b: recurra.where(a == b, b, 2.0)),
        *binary(lambda a, b: recurra.where(a != b, b, a)),
    ],
    "product": [
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M @ N),
        lambda a, b, p, s, M, N: square(a, M, N) + a + (p @ M) @ N,
        lambda a, b, p, s, M: square(a, M) + (a @ M) @ (s * M - recurra.eye()),
        lambda a, b, p, s, M: a * (recurra.heads(a, 2) @ M),
        lambda a, b, p, s, M: recurra.tanh(recurra.heads(a, 2)) @ (M * M) + a * (recurra.heads(b, 2) @ M),
    ],
    "transpose": [
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M.T - M @ N.T),
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M * N.T).T,
    ],
    "split": [
        lambda a, b, p, s, M: recurra.split(a, 2)[0] @ M + a,
        lambda a, b, p, s: recurra.concat(*recurra.split(a, 2)[::-1]) * recurra.concat(*recurra.split(p, 4)[::-1]),
        lambda a, b, p, s, M, N: (
            square(a, M, N) + a @ recurra.concat(recurra.split(M @ N, 2)[1], recurra.split(N, 2)[1])
        ),
    ],
    "concat": [
        lambda a, b, p, s, M: recurra.concat(a, p, b) @ M + a,
        lambda a, b, p, s, M: recurra.concat(p, p, a) @ M + a,
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (recurra.concat(M, N) @ recurra.concat(M, N).T),
    ],
    "partition": [lambda a, b, p, s, M, N: (a @ M) * (a @ N) + square(a, M, N) + a @ (M * N)],
    "heads": [lambda a, b, p, s, M: a @ (recurra.heads(p, 2).T @ recurra.heads(s * p, 2) @ M) + a],
    "mean": [lambda a, b, p, s: a * recurra.mean(b) + recurra.mean(p), lambda a, b, p, s: recurra.mean(a) - b],
    "sum": [lambda a, b, p, s: a * recurra.sum(b) + recurra.sum(p), lambda a, b, p, s: recurra.sum(a) - b],
    "max": [lambda a, b, p, s: a * recurra.max(b) + recurra.max(p), lambda a, b, p, s: recurra.max(a) - b],
    "sum_along": along(recurra.sum),
    "mean_along": along(recurra.mean),
    "max_along": along(recurra.max),
    "broadcast": [
        lambda a, b, p, s, M: square(a, M) + a @ (M / p[:, None] - recurra.tanh(p[:, None] * p)) + b,
        lambda a, b, p, s, M: square(a, M) + a @ (p[None, :] * M + recurra.maximum(M, p)) + b,
        lambda a, b, p, s, M: square(a, M) + a @ recurra.where(p > 0, M, p[:, None]) + b,
    ],
    "cumsum": [lambda a, b, p, s: recurra.cumsum(a * b) + recurra.cumsum(p)],
    "scalar": [lambda a, b, p, s: s * a],
}


# No gradient passes these; the terms beside them have gradients of their own.
STEPS = {"sign": unary(recurra.sign), "floor": unary(recurra.floor)}


def alone(f):
    """A cell whose first state is f of both states, two parameters, and as many matrices as f takes."""
    matrices = list(inspect.signature(f).parameters)[4:] if f.__code__.co_argcount > 4 else []

    def step(x, h, c, **parameters):
        s = recurra.scalar(parameters["s"])
        made = f(h, c, parameters["p"], s, *(parameters[name] for name in matrices))
        return made + x @ parameters["W"], c * parameters["p"] * s

    kinds = dict.fromkeys(("x", "h", "c"), inspect.Parameter.POSITIONAL_OR_KEYWORD)
    kinds |= dict.fromkeys(["W", "p", "s", *matrices], inspect.Parameter.KEYWORD_ONLY)
    step.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name, kind in kinds.items()])
    return cell(step)


def test_every_rule_has_a_test():
    assert set(ALONE) == set(RULES)
    assert set(STEPS) < set(UNDIFFERENTIABLE)


@pytest.mark.parametrize("operation", [*ALONE, *STEPS])
def test_an_operation_alone(operation):
    """Values lie on a grid, so that ties and kinks are hit; or are positive."""
    draw = random.Random(operation)
    for f in {**ALONE, **STEPS}[operation]:
        scheduled = plan(trace(alone(f)))
        for grid in ([-1.0, 0.0, 1.0], [0.5, 1.0, 2.0]):
            case = Case(scheduled, 0, grid=grid, steps=[9])
            for stored in (nothing, products_stored):
                case.check(everything(case.program), stored(case.program))
            case.check(some(draw, everything(case.program)), products_stored(case.program))
