"""Generated programs and random options as ONNX graphs: both evaluators compute what the layer computes."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recurra import (
    abs,
    bernoulli,
    cell,
    clip,
    concat,
    cos,
    cumsum,
    detach,
    dropout,
    erf,
    exp,
    eye,
    floor,
    gelu,
    heads,
    log,
    max,
    maximum,
    mean,
    minimum,
    relu,
    scalar,
    sigmoid,
    sign,
    sin,
    softplus,
    split,
    sqrt,
    sum,
    tanh,
    where,
)
from recurra.compiler import plan, trace
from recurra.program import OPERATIONS
from tests.onnx.exporting.exported import (
    CELLS,
    CLOSE,
    ONE_LAYER,
    File,
    as_state,
    assert_same,
    feed_of,
    flat,
    input_of,
    layer_of,
    packed_results,
    rounding,
    states_of,
)
from tests.random_cells import random_cell

DTYPES = st.sampled_from([torch.float32, torch.float64])


def check(layer, draw_shape, opset=18):
    """Compare a layer and its file, with lengths and without, at two shapes each."""
    dtype = next(layer.parameters()).dtype
    with tempfile.TemporaryDirectory() as folder:
        dense, padded = (File(layer, Path(folder), lengths=lengths, opset=opset) for lengths in (False, True))
        for _ in range(2):
            steps, lengths = draw_shape()
            x, states = input_of(layer, steps, len(lengths)), states_of(layer, len(lengths))
            feed = feed_of(layer, x, states)
            assert_same(dense, feed, flat(layer(x, as_state(states))), dtype, f"{steps} steps of {len(lengths)}")
            feed = feed_of(layer, x, states, lengths)
            assert_same(padded, feed, packed_results(layer, x, lengths, states), dtype, f"lengths {lengths}")


def shapes(data):
    """Draw steps and lengths."""

    def draw():
        steps = data.draw(st.integers(1, 6))
        return steps, [data.draw(st.integers(1, steps)), *data.draw(st.lists(st.integers(0, steps), max_size=3))]

    return draw


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), bidirectional=st.booleans(), dtype=DTYPES, data=st.data())
def test_generated_programs(seed, bidirectional, dtype, data):
    layer, drawn = layer_of(random_cell(seed), dtype, bidirectional=bidirectional), [shapes(data)() for _ in range(2)]
    for steps, lengths in drawn:
        assume(rounding(layer, steps, len(lengths)) <= CLOSE[dtype] / 10)
    check(layer, iter(drawn).__next__)


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(CELLS)),
    layers=st.integers(1, 3),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    dtype=DTYPES,
    opset=st.integers(18, 24),
    data=st.data(),
)
def test_random_options(name, layers, flags, dtype, opset, data):
    options = dict(zip(("bidirectional", "batch_first", "bias"), flags, strict=True))
    if name in ONE_LAYER:
        layers, options["bidirectional"] = 1, False
    check(layer_of(name, dtype, num_layers=layers, **options), shapes(data), opset)


# ---- every operation, in every stage of the plan ----


def each(*functions):
    """The sum of the functions' values, each of which is scaled down."""

    def total(v):
        result = 0.0 * v
        for function in functions:
            result = result + 0.1 * tanh(function(v))
        return result

    return total


EVERYTHING = each(
    lambda v: v + 1, lambda v: 2 - v, lambda v: v * v, lambda v: 1 / (v * v + 1), lambda v: (v * v + 0.5) ** 1.5,
    lambda v: 2**v, lambda v: -v, sigmoid, relu, exp, lambda v: log(v * v + 0.5), softplus, lambda v: sqrt(v * v + 0.5),
    abs, sin, cos, erf, sign, floor, gelu, lambda v: minimum(v, 0.1), lambda v: maximum(0.1, v),
    lambda v: clip(v, -0.3, 0.4), lambda v: clip(v, -abs(v), mean(v)), lambda v: where(v < 0.1, v, 1.0),
    lambda v: where(v <= mean(v), v, -v),
    lambda v: where(v > 0, 0.5, v), lambda v: where(v >= 0.2, v, 0.0), lambda v: where(v == v, v, 9.0),
    lambda v: where(v != mean(v), v, 9.0), lambda v: v - mean(v), lambda v: v / (1 + abs(sum(v))), lambda v: v - max(v),
    cumsum, lambda v: v * detach(v), lambda v: concat(*split(v, 3)[::-1]),
    lambda v: v * mean(where(mean(v) > 0, v, -v)),
)  # fmt: skip


@cell(output="y")
def everywhere(x, h, c, *, W, U, R, M, b, p, s, q):
    """A cell with every operation on parameters, on inputs, in the loop and after it."""
    A = M - M.T - scalar(s) * eye() + 0.1 * (M @ M)
    A = A / sqrt(sum(A**2, axis=1, keepdims=True)) + 0.1 * max(A, axis=0) - mean(A, axis=0) * b[:, None]
    before = tanh(x @ W + EVERYTHING(x @ W) + EVERYTHING(b))
    blocks = (heads(h, 2) * mean(h)) @ R + (heads(before, 2) * 0.5) @ R
    h = tanh(before * dropout(h, 0.3) + h @ A + EVERYTHING(h @ U) + blocks + 0.1 * concat(p, split(c, 2)[0]))
    keep = bernoulli(0.4)
    c = keep * c + (1 - keep) * h * bernoulli(0.7, per="sequence")
    after = EVERYTHING(h) + heads(c, 2) @ R + (tanh(h) @ U) * mean(before)
    y = concat(after, x) + concat(q, bernoulli(0.2) + 0 * x)
    return h, c


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_operation_everywhere(dtype, bidirectional):
    layer = layer_of(everywhere, dtype, bidirectional=bidirectional)
    once, *used = ({equation.operation for equation in stage} for stage in plan(trace(everywhere)).stages)
    elementwise = {name for name, row in OPERATIONS.items() if row.elementwise}
    for stage in used:
        assert stage >= elementwise | {"mean", "sum", "max", "cumsum", "concat", "heads", "product"}
    assert set.union(once, *used) >= set(OPERATIONS) - {"partition", "scalar"}
    check(layer, iter([(5, [3, 5, 1]), (1, [1])]).__next__)


@cell
def masks_of_every_shape(x, h, *, W, U, R, V, p):
    """Masks that nothing but themselves gives a shape."""
    a = sigmoid(bernoulli(0.3)) @ V @ V.T
    a = a + 0.0 * (p @ V)
    b = mean(bernoulli(0.25) * (x @ W))
    c = heads(h + bernoulli(0.5), 2) @ R
    return tanh(x @ W + h @ U + a + b * bernoulli(0.5) + c + cumsum(1 - bernoulli(0.1)))


def test_masks_are_their_means():
    check(layer_of(masks_of_every_shape), iter([(4, [2, 4]), (1, [1])]).__next__)


def test_dropout_leaves_nothing_behind(tmp_path):
    @cell
    def dropped(x, h, *, W, U):
        return tanh(dropout(x, 0.5) @ W + dropout(h, 0.5, per="sequence") @ U)

    nodes = [node.op_type for node in File(layer_of(dropped), tmp_path).proto.graph.node]
    assert nodes.count("MatMul") == 1
    assert nodes.count("Expand") == 1  # of the state
    assert "Mul" not in nodes


@cell(output="y")
def input_behind_the_loop(x, h, *, W, U):
    """The loop needs no input, but a Scan takes its number of steps from one."""
    y = h + x @ W
    h = tanh(h @ U)
    return h


@cell
def no_recurrence(x, h, previous, *, W, U, V):
    """The loop only passes its inputs on, and one new state is another one's old value."""
    new = tanh(x @ W + previous @ V + 0.0 * (h @ U))
    return new, h


@cell(output="y")
def output_is_a_comparison_of_old_and_new(x, h, *, W, U):
    old = h
    h = tanh(x @ W + h @ U)
    higher = h > old
    y = where(higher, h, old)
    return h


@pytest.mark.parametrize(
    "made",
    [input_behind_the_loop, no_recurrence, output_is_a_comparison_of_old_and_new],
    ids=lambda made: made.name,
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_programs_at_the_edges(made, bidirectional):
    check(layer_of(made, bidirectional=bidirectional), iter([(4, [2, 4]), (1, [1])]).__next__)
