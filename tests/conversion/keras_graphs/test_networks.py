"""Whole models of Keras give Keras' numbers: recorded ones, and those of Keras itself where it is."""

import numpy as np
import pytest

import recurra
from recurra import runtime
from recurra.conversion.build import converted
from recurra.model import Description
from tests.conversion.keras_graphs import networks
from tests.conversion.keras_graphs.compared import check, expected_of, model_of, run, source
from tests.conversion.keras_graphs.record import assign, computed


@pytest.mark.parametrize(("name", "inputs"), [(name, inputs) for name, _, inputs in networks.NETWORKS])
def test_recorded_networks(name, inputs, tmp_path):
    arrays = source(name)
    made = converted(arrays)
    model = model_of(made, name)
    expected = expected_of(name)
    for _ in range(2):  # a graph settles in the first call
        check(run(model, inputs), expected)
    assert isinstance(made, Description) == (name in networks.STREAMED)
    assert not arrays.unused()
    model.save(tmp_path / "model.safetensors")
    check(run(runtime.load(tmp_path / "model.safetensors"), inputs), expected)


@pytest.mark.parametrize("name", ["normalised", "causal_chain"])
def test_chains_stream(name):
    model = model_of(converted(source(name)), name)
    [x] = next(inputs for own, _, inputs in networks.NETWORKS if own == name)
    stream = model.stream(batch=len(x))
    for now in x.swapaxes(0, 1):
        so_far = stream.step(now)
    assert np.array_equal(so_far, model(x)[0])


@pytest.mark.parametrize("name", ["tagger", "translator", "masked", "residual_convolutions", "attention", "twins"])
def test_graphs_as_onnx(name, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    inputs = next(inputs for own, _, inputs in networks.NETWORKS if own == name)
    model = model_of(converted(source(name)), name)
    recurra.onnx.export(model, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx")
    names = [each.name for each in session.get_inputs()]
    check(session.run(None, dict(zip(names, inputs, strict=True))), run(model, inputs))


def test_padding_before_the_end_counts_nowhere():
    """Keras' masks may hide any step: those before the first token change nothing."""
    model = model_of(converted(source("tagger")), "tagger")
    tokens = networks.TOKENS[2:, 5:]
    padded = np.concatenate([np.zeros_like(tokens[:, :3]), tokens], 1)
    np.testing.assert_allclose(model(padded)[:, 3:], model(tokens), rtol=0, atol=1e-6)


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore")  # of Keras' own
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(("name", "made", "inputs"), networks.NETWORKS)
def test_networks_of_keras_itself(name, made, inputs, suffix, tmp_path):
    import keras

    trained = made(keras)
    assign(trained)
    trained.save(tmp_path / f"model{suffix}")
    model = recurra.convert(tmp_path / f"model{suffix}")
    check(run(model, inputs), computed(trained, inputs))
