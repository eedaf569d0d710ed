"""Recorded models of Keras as models of recurra, and the check of their outputs."""

import numpy as np

from recurra import runtime
from recurra.conversion.arrays import Arrays
from recurra.graph.build import build
from recurra.model import Description
from tests.conversion.keras_graphs.record import weight_of
from tests.conversion.keras_graphs.recorded import records

RECORDS = records()


def source(name):
    record = RECORDS[name]
    weights = {name: weight_of(*each) for name, each in record["weights"].items()}
    return Arrays(name, weights, config={**record["config"], "keras_version": "3.15.1"})


def model_of(made, name):
    return runtime.Model(made) if isinstance(made, Description) else build(made, name)


def run(model, inputs):
    """The outputs of a model, those of a Stack without its states."""
    if isinstance(model, runtime.Model):
        return [model(inputs[0])[0]]
    return model.run(None, {each.name: array for each, array in zip(model.inputs, inputs, strict=True)})


def check(outputs, expected):
    assert len(outputs) == len(expected)
    for output, known in zip(outputs, expected, strict=True):
        assert output.shape == known.shape
        np.testing.assert_allclose(output, known, rtol=0, atol=1e-5 * max(1e-3, np.abs(known).max()))


def expected_of(name):
    """The outputs that Keras gave."""
    return [np.array(values, np.float32).reshape(shape) for shape, values in RECORDS[name]["outputs"]]
