"""JAX: the same equations under jit, with the input's products for all steps at once, then ``lax.scan``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recurra.bench.problem import Problem
from recurra.bench.side import Results, Side

JaxWeights = dict[str, Any]
Network = Callable[[JaxWeights, Any, tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


def side(problem: Problem, threads: int) -> Side:
    """The compiled function; it has as many threads as this process may use processors."""
    import jax

    run, training = _network(problem), problem.case.training
    weights = {name: jax.numpy.asarray(value.numpy().T) for name, value in problem.weights.items()}
    x = jax.numpy.asarray(problem.dense.numpy())
    states = tuple(jax.numpy.asarray(state.numpy()) for state in problem.states)
    infer = jax.jit(run)
    train = jax.jit(jax.value_and_grad(_total(run)))

    def call() -> object:
        return jax.block_until_ready((train if training else infer)(weights, x, states))

    def results() -> Results:
        if not training:
            return _named(*infer(weights, x, states))
        of_x, values = jax.jit(jax.grad(_total(run, aside=True), argnums=1, has_aux=True))(weights, x, states)
        gradients = train(weights, x, states)[1]
        by_name = {f"grad {name}": np.asarray(value.T) for name, value in gradients.items()}
        return _named(*values) | {"grad x": np.asarray(of_x)} | by_name

    return Side("jax", call, results)


def _total(run: Network, *, aside: bool = False) -> Callable[[JaxWeights, Any, tuple[Any, ...]], Any]:
    """A function that gives the sum of the output and, with `aside`, also all results of the run."""

    def total(weights: JaxWeights, x: Any, states: tuple[Any, ...]) -> Any:
        values = run(weights, x, states)
        return (values[0].sum(), values) if aside else values[0].sum()

    return total


def _named(output: Any, last: tuple[Any, ...]) -> Results:
    values = dict(zip(("output", "h_n", "c_n"), (output, *last), strict=False))
    return {name: np.asarray(value) for name, value in values.items()}


def _network(problem: Problem) -> Network:
    """All layers and directions as one function of weights (transposed), input and first states."""
    from jax import numpy as jnp

    shape, step, count = problem.case.shape, _STEPS[problem.case.cell], 2 if problem.case.cell == "lstm" else 1

    def run(weights: JaxWeights, x: Any, states: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        size = (shape.layers * shape.directions, shape.batch, shape.hidden)
        states = states or (jnp.zeros(size),) * count
        last = []
        for layer in range(shape.layers):
            outputs = []
            for direction, suffix in enumerate(("", "_reverse")[: shape.directions]):
                first = tuple(state[layer * shape.directions + direction] for state in states)
                named = {
                    name.removesuffix(f"_l{layer}{suffix}"): value
                    for name, value in weights.items()
                    if name.endswith(f"_l{layer}{suffix}")
                }
                final, output = _scan(step, named, x, first, reverse=direction == 1)
                outputs.append(output)
                last.append(final)
            x = jnp.concatenate(outputs, -1) if len(outputs) > 1 else outputs[0]
        return x, tuple(jnp.stack(each) for each in zip(*last, strict=True))

    return run


def _scan(step: Any, w: JaxWeights, x: Any, first: tuple[Any, ...], *, reverse: bool) -> tuple[tuple[Any, ...], Any]:
    from jax import lax

    def body(carried: tuple[Any, ...], a_x: Any) -> tuple[tuple[Any, ...], Any]:
        new = step(a_x, w, *carried)
        return new, new[0]

    final, output = lax.scan(body, first, x @ w["weight_ih"] + w["bias_ih"], reverse=reverse)
    return final, output


def _lstm(a_x: Any, w: JaxWeights, h: Any, c: Any) -> tuple[Any, Any]:
    from jax import nn
    from jax import numpy as jnp

    i, f, g, o = jnp.split(a_x + h @ w["weight_hh"] + w["bias_hh"], 4, -1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return nn.sigmoid(o) * jnp.tanh(c), c


def _gru(a_x: Any, w: JaxWeights, h: Any) -> tuple[Any]:
    from jax import nn
    from jax import numpy as jnp

    r_x, z_x, n_x = jnp.split(a_x, 3, -1)
    r_h, z_h, n_h = jnp.split(h @ w["weight_hh"] + w["bias_hh"], 3, -1)
    z = nn.sigmoid(z_x + z_h)
    n = jnp.tanh(n_x + nn.sigmoid(r_x + r_h) * n_h)
    return ((1 - z) * n + z * h,)


def _rnn(a_x: Any, w: JaxWeights, h: Any) -> tuple[Any]:
    from jax import numpy as jnp

    return (jnp.tanh(a_x + h @ w["weight_hh"] + w["bias_hh"]),)


_STEPS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}
