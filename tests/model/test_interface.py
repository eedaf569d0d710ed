"""The interface of a model, compared with the arrays that the model takes and returns."""

import numpy as np
import pytest

from recurra import cells
from recurra.model import Part
from tests.runtime.models import cell_part, embedding, language_model, layer, linear, lstm, model, stack


def norm(kind, features, **settings):
    return Part(kind, {"features": features, "eps": 1e-5, "elementwise_affine": True, **settings})


MODELS = {
    "a layer": lstm(3, 4),
    "several layers, both directions": lstm(3, 4, num_layers=2, bidirectional=True),
    "batch first": lstm(3, 4, batch_first=True),
    "projected": lstm(3, 5, proj_size=2),
    "a cell": cell_part(cells.lstm, 3, 4),
    "tokens": language_model(),
    "tokens, batch first": stack(embedding(7, 3), lstm(3, 4, batch_first=True), linear(4, 2)),
    "two recurrent parts": stack(lstm(3, 4), layer(cells.gru, 4, 5, kind="GRU"), linear(5, 2)),
    "no recurrent part": stack(Part("Tanh"), linear(3, 2)),
    "norms": stack(Part("Tanh"), norm("LayerNorm", 3, bias=True), norm("RMSNorm", 3)),
    "whatever arrives": stack(Part("Tanh"), Part("PReLU")),
}
NUMBERS = {"batch": 3, "seq_len": 5, "features": 6}


def numbers(shape):
    return tuple(NUMBERS.get(size, size) for size in shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("what", MODELS)
def test_shapes_and_dtypes(what, dtype):
    made = model(MODELS[what], dtype=dtype)
    interface = made.description.interface
    assert interface.dtype == np.dtype(dtype).name
    x = np.zeros(numbers(interface.input_shape), np.int64 if interface.takes_tokens else interface.dtype)
    output, last = made(x)
    assert (output.shape, output.dtype) == (numbers(interface.output_shape), np.dtype(dtype))
    states = list(made.layout.nest.flatten(last))
    assert [state.shape for state in states] == [numbers(state.shape) for state in interface.flat_states]
    assert all(state.dtype == dtype for state in states)
    assert interface.tokens == (None if not made.takes_tokens else len(made.stages[0].table))


def test_names_of_states():
    def names(root):
        return [state.full_name for state in model(root).description.interface.flat_states]

    assert names(lstm(3, 4)) == ["h", "c"]
    assert names(MODELS["two recurrent parts"]) == ["0.h", "0.c", "1.h"]
    assert names(MODELS["no recurrent part"]) == []
