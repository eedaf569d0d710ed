"""The wiring of models in the forms of older files, and configurations that contradict themselves."""

import copy

import numpy as np
import pytest

from recurra.conversion.arrays import Arrays
from recurra.conversion.build import converted
from recurra.conversion.keras_config import NUMBERED, layers_of, numbered_names
from recurra.errors import RecurraError
from tests.conversion.keras_graphs import networks
from tests.conversion.keras_graphs.compared import check, expected_of, model_of, run, source

INPUTS = {name: inputs for name, _, inputs in networks.NETWORKS}


def test_arrays_that_have_numbers_for_names():
    """Before Keras 3 stored names, lstm_1 was the second layer of its class, and not the layer of this name."""
    arrays = source("repeated")
    layers = arrays.config["config"]["layers"]
    own = [layer["config"]["name"] for layer in layers]
    stored = dict(zip(own, numbered_names(layers), strict=True))
    assert stored["lstm_1"] == "lstm"  # the encoder was made second, and stands first
    values = {}
    for name, value in arrays.values.items():
        first, _, rest = name.partition("/")
        values[f"{stored[first]}/{rest}"] = value
    numbered = Arrays("repeated", values, config={**arrays.config, NUMBERED: True})
    check(run(model_of(converted(numbered), "repeated"), INPUTS["repeated"]), expected_of("repeated"))
    assert layers_of(numbered.config)["lstm"].name == "lstm_1"


def older(node):
    """A call as Keras 2 wrote it."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        return [*node["config"]["keras_history"], {}]
    return [older(each) for each in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", ["two_inputs", "residual_convolutions"])
def test_calls_of_keras_2(name):
    arrays = source(name)
    config = copy.deepcopy(arrays.config)
    for layer in config["config"]["layers"]:
        calls = [older(call["args"]) for call in layer["inbound_nodes"]]
        layer["inbound_nodes"] = [call[0] if isinstance(call[0][0], list) else call for call in calls]
    given = Arrays(name, arrays.values, config={**config, "keras_version": "2.15.0"})
    check(run(model_of(converted(given), name), INPUTS[name]), expected_of(name))


def changed(name, change):
    arrays = source(name)
    config = copy.deepcopy(arrays.config)
    change({layer["name"]: layer for layer in config["config"]["layers"]}, config["config"])
    return Arrays(name, arrays.values, config=config)


def tensor(*history):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(history)}}


WRONG = {
    "goes round in a circle": lambda layers, inside: layers["gru"].update(
        inbound_nodes=[{"args": [tensor("concatenate", 0, 0)], "kwargs": {}}]
    ),
    "there is no such layer": lambda layers, inside: inside.update(output_layers=[["nothing", 0, 0]]),
    "call 3 of price is not in the configuration": lambda layers, inside: inside.update(
        output_layers=[["price", 3, 0]]
    ),
    "gru takes output 1 of dense": lambda layers, inside: layers["gru"].update(
        inbound_nodes=[{"args": [tensor("dense", 0, 1)], "kwargs": {}}]
    ),
    "an input is no input layer": lambda layers, inside: inside.update(input_layers=[["price", 0, 0]]),
    "the configuration lists no inputs": lambda layers, inside: inside.update(input_layers=[]),
    r"price \(Dense\): kernel \(in=4, out\) and bias": lambda layers, inside: layers["price"].update(
        inbound_nodes=[{"args": [tensor("static", 0, 0)], "kwargs": {}}]
    ),
    r"gru \(GRU\): its input must be \(batch, steps, features\); it has 2": lambda layers, inside: layers["gru"].update(
        inbound_nodes=[{"args": [tensor("static", 0, 0)], "kwargs": {}}]
    ),
    r"kind \(Dense\): its activation 'own' is not known": lambda layers, inside: layers["kind"]["config"].update(
        activation="own"
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_wirings_are_named(message):
    given = changed("two_inputs", WRONG[message])
    pattern = message if "circle" not in message else "go round in a circle"
    with pytest.raises(RecurraError, match=pattern):
        converted(given)


def test_a_wrong_array_is_named():
    arrays = source("classifier")
    name = next(name for name, value in arrays.values.items() if value.ndim == 3)
    values = {**arrays.values, name: np.ones((5, 7, 12), np.float32)}
    with pytest.raises(RecurraError, match=r"Conv1D\): kernel \(taps, in=8/1 groups, out\) is needed; it has \(5, 7"):
        converted(Arrays("classifier", values, config=arrays.config))
    del values[name]
    with pytest.raises(RecurraError, match=r"Conv1D\): the arrays kernel, bias are needed; there are bias"):
        converted(Arrays("classifier", values, config=arrays.config))
