"""The native engine's promises about numbers: the same bits however the work is cut, and small errors."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra import _native, cell, sigmoid, tanh
from recurra.compiler import plan, trace
from recurra.engines import Call, choose
from recurra.engines.native import NativeEngine
from recurra.engines.native.lower import lower
from recurra.nn import GRU, LSTM, RNN, RecurrentCell, pack_sequence, pad_packed_sequence
from recurra.program import Sizes
from tests.cells.representatives import CELLS
from tests.engines.native.layers import (
    assert_equal,
    detached,
    gradients,
    inputs_of,
    layer_of,
    run,
    threads,
    weights_of,
)

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
COMMON = ("lstm", "gru", "rnn", "layer_norm_lstm", "block_slstm", "res_lstm", "intersection", "min_gru")
# steps, batch, input, hidden: threads share columns, or share rows, or are not used
SHAPES = [(6, 1, 40, 256), (9, 2, 33, 130), (9, 3, 33, 96), (10, 16, 32, 64), (8, 33, 17, 50), (4, 2, 3, 4)]
# How often threads may fail to wait for each other: the code in which they do is the same for all instruction sets.
TIMES = 15 if _native.active_isa() == _native.supported_isas()[0] else 2


def test_these_tests_run_the_native_engine():
    assert choose(plan(trace(recurra.cells.lstm))).name == "native"


# ---- however the work is cut ----


@DTYPES
@pytest.mark.parametrize("name", CELLS)
def test_threads(name, dtype):
    for steps, batch, width, hidden in SHAPES if name in COMMON else SHAPES[:3]:
        layer = layer_of(name, width, hidden, dtype)
        x, states = inputs_of(layer, steps, batch)
        made = []
        for count in (1, 2):
            with threads(count):
                values = run(layer, x, states)
                made.append([*values, *gradients(values, [x, *states, *layer.parameters()])])
        assert_equal(made[1], made[0], f"{name} {steps, batch, width, hidden}")


@DTYPES
@pytest.mark.parametrize("name", COMMON)
def test_threads_over_many_chunks(name, dtype):
    """A thread that is ahead must not write where another one still reads; repeated many times, in several chunks."""
    layer = layer_of(name, 8, 64, dtype)
    x, states = inputs_of(layer, 70, 70)
    lengths = [70] * 5 + list(range(65, 0, -1))
    packed = pack_sequence([x[:length, row].detach() for row, length in enumerate(lengths)])
    with torch.no_grad():
        with threads(1):
            dense, rows = run(layer, x, states), run(layer, packed, states)
        with threads(2):
            for _ in range(TIMES):
                assert_equal(run(layer, x, states), dense, name)
                assert_equal([run(layer, packed, states)[0].data], [rows[0].data], f"{name}, packed")


@DTYPES
@pytest.mark.parametrize("name", ["lstm", "gru", "res_lstm", "solver"])
def test_threads_over_many_chunks_backward(name, dtype):
    """Gradients of the input alone, so that no sum over rows keeps the threads together; then all gradients."""
    layer = layer_of(name, 8, 64, dtype)
    x, states = inputs_of(layer, 70, 70)
    for leaves in ([x], [x, *states, *layer.parameters()]):
        for parameter in layer.parameters():
            parameter.requires_grad_(len(leaves) > 1)
        expected = None
        for count in (1, *(2,) * (TIMES * 2 // 3)):
            with threads(count):
                values = run(layer, x, states)
                found = [*values, *gradients(values, leaves)]
            expected = found if expected is None else expected
            assert_equal(found, expected, name)


@DTYPES
@pytest.mark.parametrize("name", CELLS)
def test_a_row_of_a_batch_is_the_sequence_alone(name, dtype):
    for steps, batch, width, hidden in (SHAPES[1], SHAPES[4], SHAPES[5]):
        layer = layer_of(name, width, hidden, dtype)
        x, states = inputs_of(layer, steps, batch)
        values = run(layer, x, states)
        weights = weights_of(values)
        together = gradients(values, [x, *states], weights)
        for row in {0, batch // 2, batch - 1}:
            here = slice(row, row + 1)
            alone_x, *alone_states = detached([value[:, here] for value in (x, *states)])
            alone = run(layer, alone_x, alone_states)
            assert_equal(alone, [value[:, here] for value in values], f"{name}, row {row}")
            found = gradients(alone, [alone_x, *alone_states], [w[:, here] for w in weights])
            assert_equal(found, [value[:, here] for value in together], f"{name}, gradient of row {row}")


@DTYPES
@pytest.mark.parametrize(
    "name", ["lstm", "gru", "rnn", "peephole_lstm", "gru_reset_before", "on_lstm", "fast_rnn", "solver"]
)
def test_a_row_of_a_large_batch_has_the_gradient_of_the_sequence_alone(name, dtype):
    """The batch is so large that less is kept for the backward pass than for the sequence alone."""
    layer = layer_of(name, 8, 64, dtype)
    x, states = inputs_of(layer, 70, 130 if len(layer.state_sizes) == 1 else 70)
    values = run(layer, x, states)
    weights = weights_of(values)
    together = gradients(values, [x, *states], weights)
    for row in (0, x.shape[1] - 1):
        here = slice(row, row + 1)
        alone_x, *alone_states = detached([value[:, here] for value in (x, *states)])
        alone = run(layer, alone_x, alone_states)
        found = gradients(alone, [alone_x, *alone_states], [w[:, here] for w in weights])
        assert_equal(found, [value[:, here] for value in together], f"{name}, gradient of row {row}")


@DTYPES
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_packed_is_padded(name, bidirectional, dtype):
    layer = layer_of(name, 12, 34, dtype, bidirectional=bidirectional)
    x, states = inputs_of(layer, 9, 6)
    lengths = [9, 7, 7, 3, 2, 1]
    for count in (1, 2):
        with threads(count):
            rows = [x[:length, row].detach() for row, length in enumerate(lengths)]
            packed, *last = run(layer, pack_sequence(rows), states)
            padded = pad_packed_sequence(packed)[0]
            for row, length in enumerate(lengths):
                here = slice(row, row + 1)
                alone = run(layer, x[:length, here], [state[:, here] for state in states])
                assert_equal([padded[:length, here], *(value[:, here] for value in last)], alone, f"row {row}")
    # In a forward run, earlier steps do not depend on later ones.
    if not bidirectional:
        dense = run(layer, x, states)[0]
        for row, length in enumerate(lengths):
            assert_equal([padded[:length, row]], [dense[:length, row]], f"row {row}")


@DTYPES
def test_packed_sequences_of_one_length_have_the_gradients_of_a_dense_batch(dtype):
    for name in COMMON:
        layer = layer_of(name, 12, 34, dtype)
        x, states = inputs_of(layer, 9, 6)
        leaves = [x, *states, *layer.parameters()]
        dense = run(layer, x, states)
        weights = weights_of(dense)
        expected = gradients(dense, leaves, weights)
        packed, *last = run(layer, pack_sequence(list(x.unbind(1))), states)
        values = [pad_packed_sequence(packed)[0], *last]
        assert_equal([*values, *gradients(values, leaves, weights)], [*dense, *expected], name)


@DTYPES
@pytest.mark.parametrize("name", CELLS)
def test_streaming_is_the_whole_sequence(name, dtype):
    """Streaming in steps and in chunks of any size, with and without a batch, by the layer and by the cell."""
    with torch.no_grad():
        for (steps, batch, width, hidden), count in itertools.product((SHAPES[1], (31, 1, 3, 6)), (1, 2)):
            layer = layer_of(name, width, hidden, dtype)
            x, states = inputs_of(layer, steps, batch)
            with threads(count):
                whole = run(layer, x, states)
                for size in (1, 4, steps - 1):
                    now, outputs = states, []
                    for piece in x.split(size):
                        output, *now = run(layer, piece, now)
                        outputs.append(output)
                    assert_equal([torch.cat(outputs), *now], whole, f"{name} in pieces of {size}")
                step = RecurrentCell(CELLS[name], layer.input_size, hidden, dtype=dtype)
                step.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
                now, outputs = [state[0] for state in states], []
                for piece in x:
                    made = step(piece, tuple(now) if len(now) > 1 else now[0])
                    y, made = made if step.cell.output else (None, made)
                    now = list(made) if isinstance(made, tuple) else [made]
                    outputs.append(now[0] if y is None else y)
                assert_equal([torch.stack(outputs), *now], [whole[0], *(state[0] for state in whole[1:])], name)


@DTYPES
@pytest.mark.parametrize("name", CELLS)
def test_a_forward_pass_does_not_depend_on_whether_a_backward_pass_follows(name, dtype):
    """Streaming without gradients gives the bits of the whole sequence in training."""
    layer = layer_of(name, 33, 34, dtype)
    x, states = inputs_of(layer, 9, 3)
    expected = run(layer, x, states)
    with torch.no_grad():
        assert_equal(run(layer, x, states), expected, "without gradients")
    for leaf in (x, *states, *layer.parameters()):
        leaf.requires_grad_(leaf is x)
    assert_equal(run(layer, x, states), expected, "frozen")


@DTYPES
def test_frozen_weights_give_the_same(dtype):
    """Weights packed once or for each call give the same bits, in sequences and in steps."""
    for name in COMMON:
        layer = layer_of(name, 33, 34, dtype)
        x, states = inputs_of(layer, 9, 3)
        with torch.no_grad():
            expected = run(layer, x, states)
            with recurra.frozen(layer):
                for count in (1, 2):
                    with threads(count):
                        assert_equal(run(layer, x, states), expected, name)
                        now, outputs = states, []
                        for piece in x.split(1):
                            output, *now = run(layer, piece, now)
                            outputs.append(output)
                        assert_equal([torch.cat(outputs), *now], expected, name)


@pytest.mark.parametrize("library", [np, torch])
@DTYPES
def test_prepared_weights_give_the_same(dtype, library):
    """Weights that a kernel packs beforehand give the same bits as those that it packs for each call."""
    name = "float64" if dtype is torch.float64 else "float32"
    lanes = _native.lanes() // (2 if name == "float64" else 1)
    for which, (steps, batch, width, hidden) in itertools.product(("lstm", "block_slstm", "antisymmetric_rnn"), SHAPES):
        program = trace(CELLS[which])
        sizes = Sizes(width, hidden)
        draw = np.random.default_rng(0)

        def array(*shape, draw=draw):
            made = (draw.standard_normal(shape) * 0.2).astype(name)
            return made if library is np else torch.from_numpy(made)

        def shape_of(variable, sizes=sizes):
            return [size.value(sizes) for size in variable.shape]

        x = array(steps, batch, width)
        states = [array(batch, *shape_of(state)) for state in program.states]
        parameters = [array(*shape_of(parameter)) for parameter in program.parameters]
        whole = NativeEngine().build(plan(program)).forward(Call(x, None, states, parameters, sizes))
        code = lower(plan(program).schedule, sizes, lanes)
        kernel = _native.kernel(code.words(), code.literals, name == "float64")
        output, last = np.empty((steps, batch, hidden), name), [np.empty(state.shape, name) for state in states]
        arrays = [np.asarray(value) for value in (x, *states, *parameters)]

        def place(a):
            a = a.reshape(-1, a.shape[-1]) if a.ndim == 3 else a
            steps = [stride // a.itemsize for stride in a.strides]
            return [a.ctypes.data, *([0] * (2 - len(steps))), *steps]

        fixed = [word for a in arrays[1 + len(states) :] for word in place(a)]
        rows = [word for a in (arrays[0], output) for word in (a.ctypes.data, batch * a.shape[-1], a.shape[-1])]
        ends = []
        for first, end in zip(arrays[1 : 1 + len(states)], last, strict=True):
            ends += [first.ctypes.data, first.shape[1], end.ctypes.data, end.shape[1]]
        prepared = kernel.prepare(fixed)
        for count, kept in itertools.product((1, 2), (None, prepared, prepared)):
            output[...] = np.nan
            kernel.run([steps, batch, 0, 0, 0, count, *fixed, *rows, *ends, 0], kept)
            np.testing.assert_array_equal(output, np.asarray(whole.output))
            for mine, other in zip(last, whole.states, strict=True):
                np.testing.assert_array_equal(mine, np.asarray(other))


# ---- sizes of errors ----


@cell(output="y")
def of_input(x, h, *, W, function=tanh):
    y = function(x)
    h = h @ W
    return h


def computed(function, x):
    """A function of many numbers, computed by the native engine."""
    width = 4096
    rows = np.zeros((-(-len(x) // width), width), x.dtype)
    rows.reshape(-1)[: len(x)] = x
    program = trace(of_input, {"function": function})
    sizes = Sizes(width, 1)
    states, parameters = [np.zeros((len(rows), 1), x.dtype)], [np.ones((1, 1), x.dtype)]
    return (
        NativeEngine()
        .build(plan(program))
        .forward(Call(rows[None], None, states, parameters, sizes))
        .output.reshape(-1)[: len(x)]
    )


def every_exponent(stride=797):
    """Floats of both signs from 0 to the largest, evenly spread over bit patterns."""
    bits = np.arange(0, 0x7F800000, stride, dtype=np.uint32)
    some = np.array([0, 1, 2, 0x007FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF], np.uint32)
    bits = np.concatenate([bits, some])
    return np.concatenate([bits, bits | 0x80000000]).view(np.float32)


def exact_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


@pytest.mark.parametrize(
    ("function", "exact", "bound"), [(tanh, np.tanh, 5), (sigmoid, exact_sigmoid, 3)], ids=["tanh", "sigmoid"]
)
def test_activations_are_accurate_over_all_floats(function, exact, bound):
    x = every_exponent()
    got = computed(function, x)
    assert got.dtype == np.float32
    wanted = exact(x.astype(np.float64))
    smallest = float(np.finfo(np.float32).smallest_normal)
    flushed = np.abs(wanted) < smallest
    assert (got[flushed] == 0).mean() > 0.999, (
        "subnormal results are zeros, but for those next to the smallest normal number"
    )
    assert np.abs(got[flushed]).max() <= smallest
    wanted[flushed] = got[flushed]
    ulps = np.abs(got - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    worst = int(np.argmax(ulps))
    assert ulps[worst] <= bound, f"{ulps[worst]:.2f} ulp at {x[worst]!r}: {got[worst]!r} for {wanted[worst]!r}"
    assert np.abs(got).max() <= 1
    if function is tanh:
        assert (np.signbit(got) == np.signbit(x)).all()
        half = len(x) // 2
        np.testing.assert_array_equal(got[half:], -got[:half])
    else:
        assert got.min() >= 0
    special = computed(function, np.array([np.inf, -np.inf, np.nan, -np.nan], np.float32))
    np.testing.assert_array_equal(special, exact(np.array([np.inf, -np.inf, np.nan, np.nan])).astype(np.float32))


exact_erf = np.vectorize(math.erf, otypes=[np.float64])


def test_erf_is_accurate_over_all_floats():
    x = np.concatenate([every_exponent(), np.linspace(-4.5, 4.5, 100_001, dtype=np.float32)])
    x = x[np.abs(x) >= np.finfo(np.float32).smallest_normal]
    got = computed(recurra.erf, x)
    wanted = torch.erf(torch.from_numpy(x.astype(np.float64))).numpy()
    ulps = np.abs(got - wanted) / np.spacing(np.abs(wanted).astype(np.float32))
    worst = int(np.argmax(ulps))
    assert ulps[worst] <= 1.5, f"{ulps[worst]:.2f} ulp at {x[worst]!r}: {got[worst]!r} for {wanted[worst]!r}"
    assert np.abs(got).max() == 1
    np.testing.assert_array_equal(computed(recurra.erf, -x), -got)
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], np.float32)
    for dtype in (np.float32, np.float64):
        found = computed(recurra.erf, special.astype(dtype))
        np.testing.assert_array_equal(found, [1, -1, np.nan, 0, 0])
        np.testing.assert_array_equal(np.signbit(found[3:]), [False, True])


def test_erf_of_doubles_is_accurate():
    draw = np.random.default_rng(0)
    x = draw.uniform(-7, 7, 50_000)
    x = np.concatenate([x, x * 10.0 ** draw.uniform(-300, 3, len(x))])
    wanted = exact_erf(x)
    assert (np.abs(computed(recurra.erf, x) - wanted) <= 2 * np.spacing(np.abs(wanted))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sign", "floor"])
def test_steps_are_accurate_over_all_floats(name, dtype):
    """Steps equal numpy's to the last bit, including the signs of zeros."""
    x = every_exponent()
    whole = np.arange(-300, 300, dtype=np.float64)
    largest = 2.0 ** np.finfo(dtype).nmant  # from here on, all numbers are whole
    others = [whole + 0.5, whole + largest / 2, whole + largest]
    others += [np.nextafter(whole.astype(dtype), dtype(end)) for end in (np.inf, -np.inf)]
    x = np.concatenate([x, whole, *others]).astype(dtype)
    x = x[(np.abs(x) >= np.finfo(dtype).smallest_normal) | (x == 0)]  # smaller ones are zeros
    x = np.concatenate([x, np.array([np.inf, -np.inf, np.nan], dtype)])
    got, wanted = computed(getattr(recurra, name), x), getattr(np, name)(x)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got)[:-1], np.signbit(wanted)[:-1])


def root_mean_square(errors):
    return float(torch.cat([error.reshape(-1) for error in errors]).square().mean().sqrt())


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    ("steps", "batch", "width", "hidden"), [(100, 8, 64, 128), (100, 3, 8, 32), (30, 20, 100, 20), (20, 8, 300, 512)]
)
def test_errors_are_at_most_twice_those_of_torch(name, steps, batch, width, hidden):
    """Errors are measured against torch.nn in float64, on the same numbers."""
    errors = {}
    for seed in range(3):
        torch.manual_seed(seed)
        theirs = getattr(nn, name)(width, hidden)
        exact = getattr(nn, name)(width, hidden, dtype=torch.float64)
        ours = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}[name](width, hidden)
        ours.load_state_dict(theirs.state_dict())
        exact.load_state_dict(theirs.state_dict())
        x = torch.randn(steps, batch, width)
        results = []
        for layer in (exact, theirs, ours):
            leaf = x.to(layer.weight_ih_l0.dtype).requires_grad_()
            output, last = layer(leaf)
            values = [output, *(last if isinstance(last, tuple) else (last,))]
            weights = [w.to(output.dtype) for w in weights_of([v.float() for v in values])]
            found = gradients(values, [leaf, *layer.parameters()], weights)
            named = {"output": output, "gradient of x": found[0]}
            named |= {"last states": torch.cat([value.reshape(-1) for value in values[1:]])}
            named |= {key: g for (key, _), g in zip(layer.named_parameters(), found[1:], strict=True)}
            results.append({key: value.detach().double() for key, value in named.items()})
        for key, wanted in results[0].items():
            mine, other = errors.setdefault(key, ([], []))
            mine.append(results[2][key] - wanted)
            other.append(results[1][key] - wanted)
    for key, (mine, other) in errors.items():
        allowed = 2 * root_mean_square(other)
        assert root_mean_square(mine) <= allowed, f"{key}: {root_mean_square(mine):.2e}, allowed is {allowed:.2e}"


# ---- NaN, and very small numbers ----


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["x", "h", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0"])
@pytest.mark.parametrize(
    ("name", "arguments"), [("LSTM", {}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})], ids=str
)
@DTYPES
def test_nan_and_infinity_go_where_torch_lets_them_go(name, arguments, where, bad, dtype):
    torch.manual_seed(0)
    theirs = getattr(nn, name)(5, 17, **arguments, dtype=dtype)
    ours = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}[name](5, 17, **arguments, dtype=dtype)
    x, h = torch.randn(6, 4, 5, dtype=dtype), torch.randn(1, 4, 17, dtype=dtype)
    with torch.no_grad():
        if where == "x":
            x[2, 1, 3] = bad
        elif where == "h":
            h[0, 2, 16] = bad
        else:
            weight = getattr(theirs, where)
            weight.view(-1)[weight.numel() // 2] = bad
        ours.load_state_dict(theirs.state_dict())
        states = [h, h.flip(-1)] if name == "LSTM" else [h]
        for mine, other in zip(run(ours, x, states), run(theirs, x, states), strict=True):
            torch.testing.assert_close(mine, other, equal_nan=True, rtol=1e-4, atol=1e-5)


@cell
def adding(x, h, *, W, U):
    h = x @ W + h @ U
    return h


@DTYPES
@pytest.mark.parametrize("count", [1, 2])
def test_denormal_numbers_are_zeros(count, dtype):
    """Denormal operands and results are zeros in products, sums and states, on every thread."""
    layer = recurra.nn.Recurrent(adding, 64, 64, dtype=dtype)
    tiny = torch.finfo(dtype).smallest_normal
    with torch.no_grad(), threads(count):
        layer.W_l0.copy_(torch.eye(64))
        layer.U_l0.copy_(torch.eye(64))
        x = torch.randn(12, 40, 64, dtype=dtype) * tiny / 64
        assert 0 < float(x.abs().max()) < tiny
        assert_equal([*layer(x)[:1], layer(x)[1][0]], [torch.zeros_like(x), torch.zeros_like(x[0])])
        layer.W_l0.copy_(torch.eye(64) * 2.0**-40)
        layer.U_l0.zero_()
        x = torch.randn(12, 40, 64, dtype=dtype) * tiny * 2.0**41
        exact = x * 2.0**-40
        assert 0 < int((exact.abs() < tiny).sum()) < exact.numel()
        assert_equal([layer(x)[0]], [torch.where(exact.abs() < tiny, torch.zeros_like(exact), exact)])


def test_activations_of_denormal_numbers():
    x = np.arange(1, 2000, dtype=np.uint32).view(np.float32)
    np.testing.assert_array_equal(computed(tanh, x), np.zeros_like(x))
    np.testing.assert_array_equal(computed(sigmoid, x), np.full_like(x, 0.5))
