"""RNN, GRU and LSTM nodes: onnx's own cases, and random ones against an oracle, onnxruntime and the evaluator."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import recurra
from recurra.onnx import OnnxError
from tests.onnx import shipped
from tests.onnx.loading import oracle
from tests.onnx.models import helper, loaded, model_of

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = ("Y", "Y_h", "Y_c")
CASES = [case for case in shipped.cases() if shipped.operators(case) & set(oracle.GATES)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_onnx_ships_cases(case, engine, tmp_path):
    model = loaded(case.model, tmp_path)
    for inputs, outputs in case.data_sets:
        with recurra.engine(engine):
            results = model.run(None, dict(zip([each.name for each in model.inputs], inputs, strict=True)))
        for result, output in zip(results, outputs, strict=True):
            assert result.dtype == output.dtype
            np.testing.assert_allclose(result, output, rtol=case.rtol, atol=case.atol)


def test_onnx_ships_all_of_them():
    assert len(CASES) >= 18


def layer(op, attributes, feeds, constants=(), opset=14):
    """A model of one node, with all its outputs."""
    inputs = [name if name in feeds else "" for name in INPUTS[: 8 if op == "LSTM" else 6]]
    outputs = OUTPUTS[: 3 if op == "LSTM" else 2]
    node = helper.make_node(op, inputs, outputs, **attributes)
    dtype = feeds["X"].dtype
    return model_of(
        [node],
        {name: (value.dtype, [None] * value.ndim) for name, value in feeds.items() if name not in constants},
        {name: (dtype, [None] * (4 if name == "Y" else 3)) for name in outputs},
        {name: feeds[name] for name in constants},
        opset=opset,
        ir_version=8,
    )


@st.composite
def layers(draw):
    """A node's operator, attributes and inputs."""
    op = draw(st.sampled_from(sorted(oracle.GATES)))
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    directions = 2 if direction == "bidirectional" else 1
    steps, batch, size, hidden = (draw(st.integers(1, most)) for most in (6, 5, 4, 9))
    attributes = {"hidden_size": hidden, "direction": direction}
    if draw(st.booleans()):
        count = len(oracle.DEFAULTS[op]) * directions
        names = draw(st.lists(st.sampled_from(sorted(oracle.ACTIVATIONS)), min_size=count, max_size=count))
        numbers = st.floats(0.125, 0.875, width=32)
        alphas = [draw(numbers) for name in names if name in oracle.TAKES_ALPHA]
        betas = [draw(numbers) for name in names if name in oracle.TAKES_BETA]
        attributes["activations"] = names
        attributes.update({"activation_alpha": alphas} if alphas else {})
        attributes.update({"activation_beta": betas} if betas else {})
    if draw(st.booleans()):
        attributes["clip"] = draw(st.floats(0.0625, 1, width=32))
    for name, owner in (("linear_before_reset", "GRU"), ("input_forget", "LSTM")):
        if op == owner:
            attributes[name] = draw(st.integers(0, 1))
    attributes["layout"] = draw(st.integers(0, 1))
    reach = 0.1 if "activations" in attributes else 0.5  # unbounded activations must not grow beyond all tolerance
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float64]))
    gates, state = oracle.GATES[op], (directions, batch, hidden)
    shapes = {
        "X": (steps, batch, size), "W": (directions, gates * hidden, size), "R": (directions, gates * hidden, hidden),
        "B": (directions, 2 * gates * hidden), "initial_h": state, "initial_c": state, "P": (directions, 3 * hidden),
    }  # fmt: skip
    if attributes["layout"]:
        shapes.update({"X": (batch, steps, size), "initial_h": (batch, directions, hidden)})
        shapes["initial_c"] = shapes["initial_h"]
    if op != "LSTM":
        del shapes["initial_c"], shapes["P"]
    feeds = {
        name: rng.uniform(-reach, reach, shape).astype(dtype)
        for name, shape in shapes.items()
        if name in ("X", "W", "R") or draw(st.booleans())
    }
    if draw(st.booleans()):
        lengths = st.integers(0 if draw(st.booleans()) else 1, steps)
        feeds["sequence_lens"] = np.array([draw(lengths) for _ in range(batch)], np.int32)
    constants = draw(st.sampled_from([(), ("W", "R", "B", "P"), ("W", "R")]))
    return op, attributes, feeds, [name for name in constants if name in feeds]


def close(results, expected, dtype):
    tolerance = {"float16": 2e-3, "float32": 3e-6, "float64": 1e-12}[np.dtype(dtype).name]
    for result, value in zip(results, expected, strict=True):
        assert result.shape == value.shape
        assert result.dtype == dtype
        scale = max(1.0, np.abs(value).max(initial=0))
        np.testing.assert_allclose(result, value, rtol=0, atol=tolerance * scale)


@settings(max_examples=120)
@given(layers())
def test_random_nodes_against_the_oracle(tmp_path_factory, case):
    op, attributes, feeds, constants = case
    model = loaded(layer(op, attributes, feeds, constants), tmp_path_factory.getbasetemp())
    given_later = {name: value for name, value in feeds.items() if name not in constants}
    close(model.run(None, given_later), oracle.compute(op, attributes, **feeds), feeds["X"].dtype)


@settings(max_examples=60)
@given(layers())
def test_random_nodes_against_onnxruntime(tmp_path_factory, case):
    op, attributes, feeds, constants = case
    attributes = {**attributes, "layout": 0}  # onnxruntime has no other, and returns zeros for empty sequences' states
    feeds = {name: value if value.dtype == np.int32 else value.astype(np.float32) for name, value in feeds.items()}
    if case[1]["layout"]:
        feeds.update({name: feeds[name].swapaxes(0, 1) for name in ("X", "initial_h", "initial_c") if name in feeds})
    if "sequence_lens" in feeds:
        feeds["sequence_lens"] = np.maximum(feeds["sequence_lens"], 1)
    proto = layer(op, attributes, feeds, constants)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given_later = {name: np.ascontiguousarray(value) for name, value in feeds.items() if name not in constants}
    expected = session.run(None, given_later)
    close(loaded(proto, tmp_path_factory.getbasetemp()).run(None, given_later), expected, np.float32)


@settings(max_examples=40)
@given(layers())
def test_random_nodes_against_the_evaluator(tmp_path_factory, case):
    op, attributes, feeds, constants = case
    ignored = ("activations", "activation_alpha", "activation_beta", "clip", "input_forget")
    attributes = {name: value for name, value in attributes.items() if name not in ignored}
    feeds = {name: value for name, value in feeds.items() if name != "sequence_lens"}
    proto = layer(op, attributes, feeds, constants)
    given_later = {name: value for name, value in feeds.items() if name not in constants}
    expected = ReferenceEvaluator(proto).run(None, given_later)
    close(loaded(proto, tmp_path_factory.getbasetemp()).run(None, given_later), expected, feeds["X"].dtype)


def some(op="LSTM", steps=3, batch=2, size=4, hidden=5, dtype=np.float32):
    rng = np.random.default_rng(1)
    gates = oracle.GATES[op]
    shapes = {"X": (steps, batch, size), "W": (1, gates * hidden, size), "R": (1, gates * hidden, hidden)}
    return {name: rng.uniform(-0.5, 0.5, shape).astype(dtype) for name, shape in shapes.items()}


@pytest.mark.parametrize("op", sorted(oracle.GATES))
def test_half_precision_is_rounded_once(op, tmp_path):
    feeds = some(op, dtype=np.float16)
    expected = oracle.compute(op, {}, **feeds)
    results = loaded(layer(op, {}, feeds, ["W", "R"]), tmp_path)(feeds["X"])
    for result, value in zip(results, expected, strict=True):
        assert result.dtype == np.float16
        np.testing.assert_allclose(result, value.astype(np.float16), rtol=0, atol=5e-4)


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_nothing_to_do(steps, batch, direction, tmp_path):
    feeds = some()
    if direction == "bidirectional":
        feeds.update({name: np.repeat(feeds[name], 2, 0) for name in ("W", "R")})
    feeds["X"] = np.zeros((steps, batch, 4), np.float32)
    feeds["initial_h"] = np.ones((len(feeds["W"]), batch, 5), np.float32)
    Y, Y_h, Y_c = loaded(layer("LSTM", {"direction": direction}, feeds), tmp_path).run(None, feeds)
    assert Y.shape == (steps, len(feeds["W"]), batch, 5)
    np.testing.assert_array_equal(Y_h, feeds["initial_h"])
    assert not Y_c.any()


def test_lengths_in_any_order(tmp_path):
    feeds = some("GRU", steps=4, batch=4)
    feeds["initial_h"] = np.full((1, 4, 5), 0.25, np.float32)
    feeds["sequence_lens"] = np.array([2, 0, 4, 1], np.int32)
    Y, Y_h = loaded(layer("GRU", {}, feeds), tmp_path).run(None, feeds)
    np.testing.assert_array_equal(Y_h[0, 0], Y[1, 0, 0])
    np.testing.assert_array_equal(Y_h[0, 1], feeds["initial_h"][0, 1])
    np.testing.assert_array_equal(Y_h[0, 2], Y[3, 0, 2])
    assert not Y[2:, 0, 0].any()
    assert not Y[:, 0, 1].any()


def test_results_do_not_depend_on_the_rest_of_the_batch(tmp_path):
    feeds = some(steps=5, batch=3)
    model = loaded(layer("LSTM", {"direction": "reverse"}, feeds, ["W", "R"], 14), tmp_path)
    together = model(feeds["X"])
    for row in range(3):
        alone = model(feeds["X"][:, row : row + 1])
        np.testing.assert_array_equal(together[0][:, :, row], alone[0][:, :, 0])


def test_strides_of_any_kind(tmp_path):
    feeds = some(steps=4)
    feeds["initial_h"] = np.full((1, 2, 5), 0.25, np.float32)
    model = loaded(layer("LSTM", {}, feeds), tmp_path)
    expected = model.run(None, feeds)
    odd = {
        "X": np.ascontiguousarray(feeds["X"][::-1])[::-1],
        "W": np.asfortranarray(feeds["W"]),
        "R": np.repeat(feeds["R"], 2, 2)[:, :, ::2],
        "initial_h": np.broadcast_to(np.float32(0.25), (1, 2, 5)),
    }
    for result, value in zip(model.run(None, odd), expected, strict=True):
        np.testing.assert_array_equal(result, value)
    swapped = {name: value.astype(value.dtype.newbyteorder()) for name, value in feeds.items()}
    for result, value in zip(model.run(None, swapped), expected, strict=True):
        np.testing.assert_array_equal(result, value)


WRONG = [
    ({"W": (1, 21, 4)}, "W must be (num_directions=1, 4*hidden_size, input_size) with hidden_size=5"),
    ({"R": (1, 20, 6)}, "R must be (num_directions=1, 4*hidden_size, hidden_size) with hidden_size=6"),
    ({"R": (1, 0, 0), "W": (1, 0, 4)}, "hidden_size must be at least 1; got 0"),
    ({"R": (20, 5)}, "R must be (num_directions=1, 4*hidden_size, hidden_size)"),
    ({"B": (1, 20)}, "B must be (num_directions=1, 8*hidden_size)"),
    ({"P": (1, 20)}, "P must be (num_directions=1, 3*hidden_size)"),
    ({"X": (3, 2, 5)}, "X must be (seq_length, batch_size, input_size=4) of float32; got (3, 2, 5)"),
    ({"X": (3, 4)}, "X must be (seq_length, batch_size, input_size=4)"),
    ({"initial_h": (1, 3, 5)}, "initial_h must be (num_directions=1, batch_size=2, hidden_size=5)"),
    ({"initial_c": (2, 1, 5)}, "initial_c must be (num_directions=1, batch_size=2, hidden_size=5)"),
]


@pytest.mark.parametrize(("shapes", "message"), WRONG)
@pytest.mark.parametrize("constants", [(), ("W", "R")])
def test_wrong_shapes_are_named(shapes, message, constants, tmp_path):
    """The model declares no sizes here; wrong weights that are constants are refused while loading."""
    feeds = {**some(), **{name: np.zeros(shape, np.float32) for name, shape in shapes.items()}}
    proto = layer("LSTM", {}, feeds, constants)
    later = {name: value for name, value in feeds.items() if name not in constants}
    with pytest.raises(OnnxError) as caught:
        loaded(proto, tmp_path).run(None, later)
    assert message in str(caught.value)
    assert "node 0 (LSTM)" in str(caught.value)


def test_dtypes_must_agree(tmp_path):
    """Native code reads all arrays in one dtype, so that none of another dtype may get there."""
    feeds = {**some(), "initial_c": np.zeros((1, 2, 5))}
    for name in ("X", "W", "initial_c"):
        mixed = {**feeds, "initial_c": np.zeros((1, 2, 5), np.float32)}
        mixed[name] = mixed[name].astype(np.float64)
        proto = layer("LSTM", {}, mixed)
        with pytest.raises(OnnxError, match=f"{name} must be"):
            loaded(proto, tmp_path).run(None, mixed)
    whole = {name: np.zeros(value.shape, np.int32) for name, value in some().items()}
    with pytest.raises(OnnxError, match="as all weights one of float16, float32, float64; got int32"):
        loaded(layer("LSTM", {}, whole), tmp_path).run(None, whole)


@pytest.mark.parametrize("lengths", [[1, 4], [-1, 1], [1], [1, 2, 3]])
def test_lengths_out_of_range(lengths, tmp_path):
    feeds = {**some(), "sequence_lens": np.array([1, 1], np.int32)}
    proto = layer("LSTM", {}, feeds)
    with pytest.raises(OnnxError, match="sequence_lens"):
        loaded(proto, tmp_path).run(None, {**feeds, "sequence_lens": np.array(lengths, np.int32)})


REFUSED = [
    ({"activations": ["Tanh", "Gelu", "Tanh"]}, "activation 'Gelu' is not supported, only Relu, Tanh"),
    ({"activations": ["Tanh"]}, "activations must be 3 for each of 1 directions; got Tanh"),
    ({"activations": ["ScaledTanh", "Tanh", "Tanh"]}, "activation ScaledTanh needs activation_alpha"),
    (
        {"activations": ["Elu", "Tanh", "Tanh"], "activation_alpha": [0.5, 1.0, 1.0]},
        "activation_alpha has 2 numbers more than activations Elu, Tanh, Tanh take",
    ),
    ({"clip": 0.0}, "attribute clip: 0.0 is not supported, only numbers above 0"),
    ({"direction": "both"}, "attribute direction: 'both' is not supported"),
    ({"layout": 2}, "attribute layout: 2 is not supported"),
    ({"hidden_size": 6}, "R must be (num_directions=1, 4*hidden_size, hidden_size) with hidden_size=6"),
]


@pytest.mark.parametrize(("attributes", "message"), REFUSED)
def test_attributes_that_are_not_supported(attributes, message, tmp_path):
    feeds = some()
    with pytest.raises(OnnxError) as caught:
        loaded(layer("LSTM", attributes, feeds, ["W", "R"]), tmp_path)
    assert message in str(caught.value)
    assert "node 0 (LSTM)" in str(caught.value)


def test_names_of_activations_in_any_case_and_defaults(tmp_path):
    feeds = some("RNN")
    for activations, alpha, beta in ((["hardsigmoid"], 0.2, 0.5), (["LEAKYRELU"], 0.01, None), (["elu"], 1.0, None)):
        name = next(name for name in oracle.ACTIVATIONS if name.lower() == activations[0].lower())
        full = {"activations": [name], "activation_alpha": [alpha], "activation_beta": [beta]}
        results = loaded(layer("RNN", {"activations": activations}, feeds), tmp_path).run(None, feeds)
        close(results, oracle.compute("RNN", full, **feeds), np.float32)


def test_numbers_that_no_activation_takes_mean_nothing(tmp_path):
    """Some exporters write alpha and beta for Tanh and Sigmoid, too."""
    feeds = some()
    idle = {"activation_alpha": [1.0, 1.0, 1.0], "activation_beta": [0.0]}
    results = loaded(layer("LSTM", idle, feeds), tmp_path).run(None, feeds)
    close(results, oracle.compute("LSTM", {}, **feeds), np.float32)
