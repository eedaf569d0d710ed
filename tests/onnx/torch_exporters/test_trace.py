"""torch.onnx.export(dynamo=False): any length and batch, packed sequences, what is refused."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra import cells
from recurra.nn import GRU, LSTM, RNN, GRUCell, Recurrent, RecurrentCell, Stack
from tests.onnx.torch_exporters.checked import agree, operators

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:torch.onnx"),
    pytest.mark.filterwarnings("ignore:Converting a tensor to a Python:torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:Exporting a model to ONNX with a batch_size:UserWarning"),  # of torch.nn
]


def exported(model, path, example, dynamic, **options):
    torch.onnx.export(
        model.eval(), example, path, dynamo=False, input_names=list(dynamic), dynamic_axes=dynamic, **options
    )
    return path


def x(*shape):
    return torch.randn(*shape)


LAYERS = {
    "LSTM": (lambda: LSTM(3, 4, 2, bidirectional=True), {"LSTM"}),
    "GRU": (lambda: GRU(3, 4), {"GRU"}),
    "RNN": (lambda: RNN(3, 4, nonlinearity="relu", bias=False), {"RNN"}),
    "peepholes": (lambda: Recurrent(cells.peephole_lstm, 3, 4), {"LSTM"}),
    "reset before": (lambda: Recurrent(cells.gru_reset_before, 3, 4, bias=False), {"GRU"}),
    "projection": (lambda: LSTM(3, 4, proj_size=2), {"Scan"}),
    "norms": (lambda: Recurrent(cells.layer_norm_lstm, 3, 4, 2, bidirectional=True, merge_mode="sum"), {"Scan"}),
    "learned states": (lambda: Recurrent(cells.min_gru, 3, 4, learn_initial_state=True), {"Scan"}),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_bare_layer_takes_any_length_and_batch(kind, tmp_path):
    make, expected = LAYERS[kind]
    model = make()
    path = exported(model, tmp_path / "m.onnx", (x(5, 2, 3),), {"x": {0: "steps", 1: "batch"}})
    assert operators(path) & {"LSTM", "GRU", "RNN", "Scan", "Loop"} == expected
    agree(model, path, [(x(5, 2, 3),), (x(1, 1, 3),), (x(9, 3, 3),)])


def test_given_states_and_batch_first(tmp_path):
    model = LSTM(3, 4, batch_first=True)
    states = x(1, 2, 4), x(1, 2, 4)
    axes = {"x": {0: "b", 1: "t"}, "h": {1: "b"}, "c": {1: "b"}}
    path = exported(model, tmp_path / "m.onnx", (x(2, 5, 3), states), axes)
    agree(model, path, [(x(3, 1, 3), (x(1, 3, 4), x(1, 3, 4)))])


def test_cells(tmp_path):
    for model in (GRUCell(3, 4), RecurrentCell(cells.layer_norm_lstm, 3, 4)):
        path = exported(model, tmp_path / "m.onnx", (x(2, 3),), {"x": {0: "b"}})
        agree(model, path, [(x(5, 3),)])


def test_in_float64_every_cell_is_a_scan(tmp_path):
    model = GRU(3, 4).double()
    path = exported(model, tmp_path / "m.onnx", (x(5, 2, 3).double(),), {"x": {0: "t", 1: "b"}})
    assert "Scan" in operators(path)
    agree(model, path, [(x(2, 3, 3).double(),)], 1e-12)


class WithResets(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = Recurrent(cells.lstm, 3, 4, bidirectional=True)

    def forward(self, x, marks):
        return self.layer(x, reset=marks)


def test_resets(tmp_path):
    model = WithResets()
    path = exported(model, tmp_path / "m.onnx", (x(5, 2, 3), x(5, 2) > 0), {n: {0: "t", 1: "b"} for n in "xr"})
    agree(model, path, [(x(9, 3, 3), x(9, 3) > 0)])


class Packed(torch.nn.Module):
    def __init__(self, layer, **options):
        super().__init__()
        self.layer, self.options = layer, options

    def forward(self, x, lengths):
        first = self.layer.batch_first
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        output, state = self.layer(packed)
        return pad_packed_sequence(output, batch_first=first, **self.options), state


PACKED = {
    "nodes": lambda: Packed(LSTM(3, 4, 2, bidirectional=True)),
    "scans": lambda: Packed(Recurrent(cells.layer_norm_lstm, 3, 4, bidirectional=True, batch_first=True)),
    "torch.nn": lambda: Packed(torch.nn.GRU(3, 4)),
    "options": lambda: Packed(GRU(3, 4), padding_value=-7.0, total_length=8),
}


@pytest.mark.parametrize("kind", PACKED)
def test_packed_sequences_of_any_lengths(kind, tmp_path):
    model = PACKED[kind]()
    axes = {"x": {0: "a", 1: "b"}, "lengths": {0: "n"}}
    first = model.layer.batch_first

    def call(steps, *lengths):
        data = x(steps, len(lengths), 3)
        return data.transpose(0, 1) if first else data, torch.tensor(lengths)

    path = exported(model, tmp_path / "m.onnx", call(5, 3, 5), axes)
    # torch's own nodes for torch.nn's layers keep the padded length
    shorter = [] if kind == "torch.nn" else [call(7, 2, 1)]
    agree(model, path, [call(5, 3, 5), call(7, 2, 7, 4), *shorter])


def test_a_whole_model(tmp_path):
    model = Stack(torch.nn.Linear(3, 5), LSTM(5, 4), Recurrent(cells.sru, 4, 4), torch.nn.Linear(4, 2))
    path = exported(model, tmp_path / "m.onnx", (x(5, 2, 3),), {"x": {0: "t", 1: "b"}})
    agree(model, path, [(x(9, 3, 3),)])


class Traced(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = GRU(3, 4)

    def forward(self, x):
        return self.layer(x, return_trace=True)[2]["h"]


def test_what_is_refused_is_said(tmp_path):
    axes = {"x": {0: "t", 1: "b"}}
    with pytest.raises(recurra.onnx.OnnxError, match="opset_version=18 or newer; got 17"):
        exported(GRU(3, 4), tmp_path / "m.onnx", (x(5, 2, 3),), axes, opset_version=17)
    with pytest.raises(recurra.onnx.OnnxError, match="a trace cannot be exported to ONNX"):
        exported(Traced(), tmp_path / "m.onnx", (x(5, 2, 3),), axes)
