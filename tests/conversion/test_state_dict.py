"""Files that hold a plain state_dict of torch."""

import numpy as np
import pytest

import recurra
from recurra import runtime
from recurra.conversion.reading import read
from recurra.errors import FileFormatError
from recurra.model import read as read_described
from recurra.model.safetensors import Tensor, pack
from tests.runtime.models import described, layer, lstm, same

GIVEN = {
    "an LSTM": lstm(3, 4),
    "without biases": lstm(3, 4, bias=False),
    "of two layers and directions": lstm(3, 4, num_layers=2, bidirectional=True),
    "projected": lstm(3, 5, proj_size=2),
    "a GRU": layer(recurra.cells.gru, 3, 4, kind="GRU"),
    "an RNN": layer(recurra.cells.rnn, 3, 4, kind="RNN"),
}


def file_of(path, arrays):
    path.write_bytes(b"".join(bytes(piece) for piece in pack({k: Tensor("F32", v) for k, v in arrays.items()}, {})))
    return path


def arrays_of(root):
    return {name: weight.data for name, weight in described(root).weights.items()}


@pytest.mark.parametrize("prefix", ["", "rnn.", "model.encoder.rnn."])
@pytest.mark.parametrize("what", GIVEN)
def test_load_and_convert_see_the_same_model(what, prefix, tmp_path):
    arrays = arrays_of(GIVEN[what])
    path = file_of(tmp_path / "m", {prefix + name: array for name, array in arrays.items()})
    found = read(path)
    assert found.root == GIVEN[what] == recurra.convert(path).description.root
    assert {name: weight.data.tobytes() for name, weight in found.weights.items()} == {
        name: array.tobytes() for name, array in arrays.items()
    }
    x = np.ones((5, 2, 3), np.float32)
    assert same(runtime.load(path)(x)[0], recurra.convert(path)(x)[0])


def changed(**arrays):
    return {**arrays_of(lstm(3, 4)), **arrays}


NO_LAYER = {
    "a weight of something else": changed(**{"head.weight": np.ones((2, 2), np.float32)}),
    "two prefixes": {(name if "ih" in name else f"rnn.{name}"): array for name, array in arrays_of(lstm(3, 4)).items()},
    "another separator": {f"rnn/{name}": array for name, array in arrays_of(lstm(3, 4)).items()},
    "short names": {name.replace("weight", "w"): array for name, array in arrays_of(lstm(3, 4)).items()},
    "a cell's names": {name.removesuffix("_l0"): array for name, array in arrays_of(lstm(3, 4)).items()},
    "a layer left out": {name.replace("_l0", "_l1"): array for name, array in arrays_of(lstm(3, 4)).items()},
}


@pytest.mark.parametrize("what", NO_LAYER)
def test_what_is_no_layer_says_how_to_load_it(what, tmp_path):
    with pytest.raises(FileFormatError, match=r"not those of one RNN, LSTM or GRU.*recurra\.load\(path, into=model\)"):
        read(file_of(tmp_path / "m", NO_LAYER[what]))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (changed(weight_hh_l0=np.ones((16, 5), np.float32)), r"weight_hh \(weight_hh_l0\) must have shape"),
        (changed(weight_ih_l0=np.ones((12, 3), np.float32)), r"weight_ih \(weight_ih_l0\) must have shape \(16, 3\)"),
        ({k: v for k, v in changed().items() if k != "bias_hh_l0"}, "bias_hh is missing"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arrays, message, tmp_path):
    with pytest.raises(FileFormatError, match=message):
        read(file_of(tmp_path / "m", arrays))


def test_descriptions_alone_are_read_below(tmp_path):
    with pytest.raises(FileFormatError, match="has no description of a model"):
        read_described(file_of(tmp_path / "m", changed()))
