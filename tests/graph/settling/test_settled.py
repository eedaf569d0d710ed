"""Settled calls beside the operators' own functions, which run where an input is no array of numpy."""

import threading

import numpy as np
import pytest

from recurra import engine
from recurra.errors import OnnxError
from recurra.graph.graph import Graph
from tests.graph.settling.settled import F, check, declared, model, node, unsettled, weight

X3, X4 = weight(2, 6, 33), weight(2, 6, 9, 20)

# Nodes, tensors, arrays; each becomes one native call.
NATIVE = {
    "convolution, batch norm and ReLU": (
        [
            node("Conv", "x,w,b", "c", pads=(1, 1, 1, 1), strides=(1, 2)),
            node("BatchNormalization", "c,s,o,m,v", "n", epsilon=1e-3),
            node("Relu", "n"),
        ],
        {"w": weight(5, 6, 3, 3), "b": weight(5), **{name: abs(weight(5)) + 1 for name in "somv"}},
        X4,
    ),
    "convolution without bias and batch norm": (
        [node("Conv", "x,w", "c", group=2), node("BatchNormalization", "c,s,o,m,v")],
        {"w": weight(4, 3, 5), "s": weight(4), "o": weight(4), "m": weight(4), "v": abs(weight(4)) + 1},
        X3,
    ),
    "a batch norm after something else": (
        [node("Abs", "x", "a"), node("BatchNormalization", "a,s,o,m,v")],
        {"s": weight(6), "o": weight(6), "m": weight(6), "v": abs(weight(6)) + 1},
        X3[:1],
    ),
    "convolution and a clip": (
        [node("Conv", "x,w", "c", auto_pad="SAME_UPPER", dilations=(2,)), node("Clip", "c,low,high")],
        {"w": weight(5, 6, 4), "low": np.float32(-0.2), "high": np.float32(0.6)},
        X3,
    ),
    "pools": (
        [
            node("MaxPool", "x", "a", kernel_shape=(3, 2), strides=(2, 2), pads=(1, 0, 1, 1), ceil_mode=1),
            node("AveragePool", "a", "b", kernel_shape=(2, 2), pads=(1, 1, 0, 0), count_include_pad=1),
            node("AveragePool", "b", "c", kernel_shape=(2, 3), strides=(1, 2), pads=(0, 1, 1, 1), ceil_mode=1),
            node("GlobalAveragePool", "c", "d"),
            node("GlobalMaxPool", "b", "e"),
            node("Sub", "d,e"),
        ],
        {},
        X4,
    ),
    "elementwise": (
        [
            node("Mul", "x,row", "a"),
            node("Add", "column,a", "b"),
            node("Tanh", "b", "c"),
            node("Sub", "c,number", "d"),
            node("HardSigmoid", "d", "e", alpha=0.3),
            node("Max", "e,c", "f"),
            node("LeakyRelu", "f", "g", alpha=0.2),
            node("HardSwish", "g", "h"),
            node("Pow", "h,two", "i"),
            node("Swish", "i", "j", alpha=0.5),
            node("Div", "j,column"),
        ],
        {"row": weight(33), "column": abs(weight(2, 6, 1)) + 1, "number": np.float32(0.3), "two": np.float32(2)},
        X3,
    ),
    "products": (
        [
            node("MatMul", "x,w", "a"),
            node("Add", "b,a", "c"),
            node("Transpose", "c", "d", perm=(2, 0, 1)),
            node("Reshape", "d,rows", "e"),
            node("Gemm", "e,v,o", transB=1),
        ],
        {"w": weight(33, 7), "b": weight(7), "rows": np.array([-1, 6]), "v": weight(4, 6), "o": weight(4)},
        X3,
    ),
    "moves": (
        [
            node("Pad", "x,widths", "a", mode="reflect"),
            node("Pad", "a,widths", "b", mode="edge"),
            node("Pad", "b,widths,value", "c"),
            node("Slice", "c,begin,end,axes", "d"),
            node("Concat", "d,d,c", "e", axis=2),
            node("Transpose", "e", "f", perm=(1, 2, 0)),
            node("Flatten", "f", axis=2),
        ],
        {
            "widths": np.array([1, 0, 2, 0, 3, 1]), "value": np.float32(0.5), "begin": np.array([2]),
            "end": np.array([-3]), "axes": np.array([2]),
        },
        X3,
    ),
    "softmax": ([node("Softmax", "x", "a", axis=-1), node("Neg", "a")], {}, X3),
}  # fmt: skip


@pytest.mark.parametrize("name", NATIVE)
def test_a_settled_call_computes_the_same(name):
    nodes, tensors, x = NATIVE[name]
    check(model(nodes, tensors), x)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize(("kind", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent_nodes(kind, gates, layout, directions):
    sizes = {"w": (gates * 5, 6), "r": (gates * 5, 5), "b": (gates * 10,)}
    tensors = {name: weight(directions, *shape) for name, shape in sizes.items()}
    direction = ("forward", "bidirectional")[directions - 1]
    states = {"RNN": "h", "GRU": "h", "LSTM": "h,c"}[kind]
    first = weight(*((3, directions) if layout else (directions, 3)), 5)
    made = model(
        [node(kind, f"x,w,r,b,,{states}", f"y,{states.replace(',', '_,')}_", direction=direction, layout=layout)],
        tensors,
        f"y,{states.replace(',', '_,')}_",
        f"x,{states}",
    )
    x = weight(3, 8, 6) if layout else weight(8, 3, 6)
    check(made, x, *[first] * len(states.split(",")))


def test_the_steps_of_a_stream_are_those_of_the_whole():
    tensors = {"w": weight(1, 20, 6), "r": weight(1, 20, 5), "b": weight(1, 40)}
    made = model([node("LSTM", "x,w,r,b,,h,c", "y,h_,c_")], tensors, "y,h_,c_", "x,h,c")
    x, zeros = weight(9, 1, 6), np.zeros((1, 1, 5), F)
    whole, _, _ = made(x, zeros, zeros)
    h = c = zeros
    for t in range(9):
        y, h, c = made(x[t : t + 1], h, c)
        np.testing.assert_array_equal(y, whole[t : t + 1])


def test_operators_without_a_settler_run_in_each_call():
    nodes = [node("ReduceMean", "x,axes", "a"), node("Erf", "a", "b"), node("CumSum", "b,axis")]
    made = model(nodes, {"axes": np.array([1]), "axis": np.array(0)})
    check(made, X3, runs=3)


def test_a_value_that_shapes_give_is_settled():
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s,last", "n"),
        node("ConstantOfShape", "n", "ones", value=np.ones(1, F)),
        node("Add", "x,ones"),
    ]
    check(model(nodes, {"last": np.array([2])}), X3)


def test_memory_is_used_again_without_mixing_values():
    nodes = [node("Abs", "x", "v0"), *(node("Add", f"v{n},{'x' if n % 3 else 'v0'}", f"v{n + 1}") for n in range(20))]
    nodes += [node("Slice", "v5,begin,end", "part"), node("Neg", "v20", "last"), node("Add", "last,v1", "y")]
    made = model(nodes, {"begin": np.array([0]), "end": np.array([1])}, "y,part")
    check(made, X3)
    (calls,) = made._settled._free.values()
    assert calls[0].nbytes < 10 * X3.nbytes  # of 23 values


def test_views_of_views_keep_their_memory():
    nodes = [
        node("Abs", "x", "a"), node("Transpose", "a", "b", perm=(2, 1, 0)), node("Slice", "b,begin,end", "c"),
        node("Exp", "x", "d"), node("Neg", "d", "e"), node("Squeeze", "c,axis", "f"), node("Add", "f,f"),
    ]  # fmt: skip
    tensors = {"begin": np.array([4]), "end": np.array([5]), "axis": np.array([0])}
    check(model(nodes, tensors, "y,e"), X3)


def test_a_branch_whose_condition_is_known():
    inner = Graph((), declared("z"), (node("Conv", "x,w", "z"),), {"w": weight(4, 6, 3)})
    other = Graph((), declared("z"), (node("Neg", "x", "z"),), {})
    nodes = [
        node("Size", "x", "s"), node("Greater", "s,limit", "large"),
        node("If", "large", "p", then_branch=inner, else_branch=other), node("Add", "p,p"),
    ]  # fmt: skip
    check(model(nodes, {"limit": np.array(10)}), X3)


def test_shapes_that_depend_on_numbers_are_not_settled():
    made = model([node("Relu", "x", "r"), node("NonZero", "r", "y")])
    for array in (np.array([1, -1, 2], F), np.array([1, 1, 2], F), np.array([-1, 0, 0], F)):
        np.testing.assert_array_equal(made(array), [np.flatnonzero(array > 0)])
    assert list(made._settled._free.values()) == [None]


def test_each_set_of_shapes_has_its_call_and_the_number_is_bounded():
    made = model([node("Conv", "x,w")], {"w": weight(4, 6, 3)})
    for length in (*range(10, 40), 12):
        x = weight(1, 6, length)
        np.testing.assert_allclose(made(x), unsettled(made, x)[0], atol=1e-6)
    assert len(made._settled._free) == 16


def test_inputs_of_any_layout_and_kind():
    made = model([node("Conv", "x,w", "c"), node("Relu", "c")], {"w": weight(4, 6, 3)})
    wanted = np.maximum(unsettled(made, X3)[0], 0)
    unaligned = np.frombuffer(b"_" + X3.tobytes(), np.uint8)[1:].view(F).reshape(X3.shape)
    for x in (X3, X3.copy("F"), X3.tolist(), X3.astype(">f4"), np.repeat(X3, 2, 2)[..., ::2], unaligned, X3):
        np.testing.assert_allclose(made(x), wanted, atol=1e-6)


def test_wrong_inputs_are_named_before_and_after_a_call():
    made = model([node("MatMul", "x,w")], {"w": weight(6, 4)})
    made(np.ones((2, 6), F))
    for x, what in (
        (np.ones((2, 5), F), "MatMul"),
        (np.ones((2, 6)), "float64"),
        (np.ones((2, 6), complex), "complex"),
    ):
        for _ in range(2):
            with pytest.raises(OnnxError, match=what):
                made(x)
    with pytest.raises(OnnxError, match="no input 'z'"):
        made.run(None, {"z": np.ones((2, 6), F)})


def test_threads_that_call_at_a_time():
    made = model([node("Conv", "x,w", "c"), node("Tanh", "c")], {"w": weight(16, 6, 3)})
    xs = [weight(2, 6, 200) for _ in range(4)]
    wanted, failures = [made(x) for x in xs], []

    def call(number):
        for _ in range(20):
            if not np.array_equal(made(xs[number]), wanted[number]):
                failures.append(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    (calls,) = made._settled._free.values()
    assert 1 <= len(calls) <= 4


def test_another_engine_runs_the_operators_own_functions():
    made = model([node("Conv", "x,w")], {"w": weight(4, 6, 3)})
    native = made(X3)
    with engine("reference"):
        np.testing.assert_array_equal(made(X3), unsettled(made, X3)[0])
    np.testing.assert_array_equal(made(X3), native)


def test_nan_and_infinity_pass():
    made = model([node("Relu", "x", "r"), node("MaxPool", "r", kernel_shape=(2,), strides=(2,))])
    x = np.array([[[1, np.nan, -np.inf, -1, np.inf, 2]]], F)
    np.testing.assert_array_equal(made(x), [[[np.nan, 0, np.inf]]])
