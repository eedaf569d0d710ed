"""Models of several parts as ONNX graphs: every kind of part, their names, and models that are refused."""

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra.cells import layer_norm_lstm, mgu
from recurra.errors import FileFormatError, OnnxError
from recurra.model import KINDS
from recurra.model.kinds import kinds_of
from recurra.nn import (
    GRU,
    LSTM,
    AdaptiveSoftmax,
    GRUCell,
    LSTMCell,
    Recurrent,
    RecurrentCell,
    RNNCell,
    Stack,
    VariationalDropout,
    frozen,
)
from recurra.onnx.exporting.parts import WRITERS
from tests.cells.representatives import intersection
from tests.onnx.exporting.exported import File, assert_close, assert_same, flat

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])

PARTS = [
    nn.Linear(4, 3), nn.Linear(4, 3, bias=False), nn.LayerNorm(4), nn.LayerNorm(4, bias=False),
    nn.LayerNorm(4, eps=0.1, elementwise_affine=False), nn.RMSNorm(4), nn.RMSNorm(4, eps=0.1, elementwise_affine=False),
    nn.Dropout(0.7), VariationalDropout(0.7), nn.Identity(), nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.SiLU(),
    nn.Softsign(), nn.Hardtanh(-0.4, 0.3), nn.ELU(1.7), nn.LeakyReLU(0.3), nn.Softplus(), nn.Softplus(2, threshold=1),
    nn.GELU(), nn.GELU(approximate="tanh"), nn.PReLU(init=0.4), nn.ReLU6(), nn.LogSigmoid(), nn.Mish(),
    nn.Hardsigmoid(), nn.Hardswish(),
    nn.CELU(0.7), nn.SELU(), nn.Tanhshrink(), nn.Softshrink(0.4), nn.Hardshrink(0.4), nn.Threshold(0.2, -3.0),
    nn.Softmax(-1), nn.Softmin(-1), nn.LogSoftmax(-1),
    AdaptiveSoftmax(4, 4, [2]), AdaptiveSoftmax(4, 4, [1, 3], div_value=2, head_bias=True),
]  # fmt: skip


def test_every_kind_is_written():
    assert {*WRITERS, *kinds_of("container", "models", "nothing")} == set(KINDS)
    assert {type(part).__name__ for part in PARTS} >= set(kinds_of("rows"))


@DTYPES
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_around_a_layer(part, dtype, tmp_path):
    torch.manual_seed(0)
    for parameter in part.parameters():
        nn.init.normal_(parameter)
    model = (
        Stack(nn.Linear(2, 4), part, nn.Linear(3 if isinstance(part, nn.Linear) else 4, 4), GRU(4, 5)).to(dtype).eval()
    )
    x = 3 * torch.randn(5, 2, 2, dtype=dtype)
    assert_same(File(model, tmp_path), {"x": x.numpy()}, flat(model(x)), dtype)


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_alone(part, tmp_path):
    x = torch.randn(3, 2, 4)
    assert_same(File(part.float().eval(), tmp_path), {"x": x.numpy()}, flat(part(x)), torch.float32)


def test_large_numbers_do_not_overflow(tmp_path):
    """Only onnxruntime's numbers are compared: onnx's evaluator computes LogSoftmax as the logarithm of Softmax."""
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([[[-1e4, -90.0, 90.0, 1e4]]], dtype=dtype)
        for part in (nn.Softplus(0.5), nn.ELU(), nn.SiLU(), nn.Softmax(-1), nn.LogSoftmax(-1)):
            model = Stack(nn.Linear(4, 4, bias=False), part).to(dtype)
            nn.init.eye_(model[0].weight)
            assert_close(File(model, tmp_path).run({"x": x.numpy()}), flat(model(x)[0]), dtype, str(part))


# ---- whole models ----


def language_model(dtype=torch.float32, **options):
    torch.manual_seed(0)
    embedding, head = nn.Embedding(11, 8, padding_idx=0), nn.Linear(8, 11)
    head.weight = embedding.weight
    layer = Recurrent(layer_norm_lstm, 8, 8, num_layers=2, **options)
    return Stack(embedding, nn.Dropout(0.5), layer, head, nn.LogSoftmax(-1)).to(dtype).eval()


@DTYPES
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_language_model(dtype, batch_first, tmp_path):
    model = language_model(dtype, batch_first=batch_first)
    file = File(model, tmp_path)
    for shape in ((3, 4), (1, 1)):
        ids = torch.randint(11, shape)
        assert_same(file, {"x": ids.numpy()}, flat(model(ids)), dtype, str(shape))
    assert file.names == (["x", "h_0", "c_0"], ["output", "h_n", "c_n"])
    dimensions = [d.dim_param for d in file.proto.graph.input[0].type.tensor_type.shape.dim]
    assert dimensions == (["batch", "seq_len"] if batch_first else ["seq_len", "batch"])
    assert [tensor.dims for tensor in file.proto.graph.initializer].count([11, 8]) == 1  # the tied weight


def test_several_recurrent_parts(tmp_path):
    torch.manual_seed(0)
    model = Stack(
        GRU(3, 4, bidirectional=True),
        Stack(nn.Linear(8, 5), LSTM(5, 6, num_layers=2)),
        nn.ReLU(),
        Recurrent(mgu, 6, 2),
    ).eval()
    file = File(model, tmp_path)
    assert file.names == (
        ["x", "0.h_0", "1.1.h_0", "1.1.c_0", "3.h_0"],
        ["output", "0.h_n", "1.1.h_n", "1.1.c_n", "3.h_n"],
    )
    assert file.operators == ["GRU", "LSTM", "LSTM", "Scan"]
    x = torch.randn(5, 2, 3)
    states = [torch.randn(2, 2, 4), (torch.randn(2, 2, 6), torch.randn(2, 2, 6)), torch.randn(1, 2, 2)]
    feed = dict(zip(file.names[0], [x.numpy(), *flat(states)], strict=True))
    assert_same(file, feed, flat(model(x, states)), torch.float32)


def test_a_stack_of_cells(tmp_path):
    torch.manual_seed(0)
    model = Stack(
        nn.Linear(3, 4), LSTMCell(4, 5), GRUCell(5, 6), RNNCell(6, 6), RecurrentCell(intersection, 6, 6), nn.Tanh()
    ).eval()
    file = File(model, tmp_path)
    x = torch.randn(2, 3)
    assert_same(file, {"x": x.numpy()}, flat(model(x)), torch.float32)
    _, *new = file.run({"x": x.numpy()})
    states = [(torch.tensor(new[0]), torch.tensor(new[1])), *map(torch.tensor, new[2:])]
    feed = dict(zip(file.names[0], [x.numpy(), *new], strict=True))
    assert_same(file, feed, flat(model(x, states)), torch.float32)


def test_lengths_reach_every_layer(tmp_path):
    torch.manual_seed(0)
    model = Stack(
        nn.Linear(3, 4), LSTM(4, 5, bidirectional=True), Recurrent(mgu, 10, 4, bidirectional=True), nn.Linear(8, 2)
    )
    x, lengths = torch.randn(6, 3, 3), [4, 6, 1]
    file = File(model.eval(), tmp_path, lengths=True)
    output, *states = file.run({"x": x.numpy(), "lengths": np.array(lengths)})
    for row, length in enumerate(lengths):
        expected, *last = flat(model(x[:length, row : row + 1]))
        assert_close([output[:length, row : row + 1]], [expected], torch.float32)
        assert_close([state[:, row : row + 1] for state in states], last, torch.float32)
        assert not output[length:, row].any()


def test_what_is_a_model(tmp_path):
    """A torch module, a model of the runtime and a description give the same file, each time."""
    model = language_model()
    recurra.save(model, tmp_path / "model.safetensors")
    loaded = recurra.runtime.load(tmp_path / "model.safetensors")
    contents = set()
    for given in (model, loaded, loaded.description, model):
        recurra.onnx.export(given, tmp_path / "model.onnx")
        contents.add((tmp_path / "model.onnx").read_bytes())
    assert len(contents) == 1
    with frozen(model):
        recurra.onnx.export(model, str(tmp_path / "model.onnx"))
    assert (tmp_path / "model.onnx").read_bytes() in contents


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype, tmp_path):
    torch.manual_seed(0)
    model = GRU(3, 4).to(dtype)
    x = torch.randn(4, 2, 3)
    file = File(model, tmp_path)
    assert_same(file, {"x": x.numpy()}, flat(model.float()(x)), torch.float32)


# ---- refused models ----


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Stack(GRU(3, 4), GRUCell(4, 4)),
            r"0 \(GRU\) and 1 \(GRUCell\) must agree in batch_first, and be layers or cells both",
        ),
        (Stack(GRU(3, 4, batch_first=True), GRU(4, 4)), "agree in batch_first"),
        (Stack(nn.Linear(3, 4), nn.Embedding(5, 3)), r"1 \(Embedding\) must be the first part"),
        (
            Stack(nn.Linear(3, 4), nn.ReLU(), GRU(5, 4)),
            r"2 \(GRU\) takes 5 features, and 1 \(ReLU\), the part before it, gives 4",
        ),
    ],
    ids=["cell", "batch_first", "embedding", "features"],
)
def test_parts_that_do_not_fit(model, message, tmp_path):
    with pytest.raises(FileFormatError, match=message):
        recurra.onnx.export(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_model(tmp_path):
    with pytest.raises(TypeError, match=r"export needs a torch module.*not str"):
        recurra.onnx.export("model", tmp_path / "model.onnx")
    with pytest.raises(FileFormatError, match=r"0 is a torch.nn.*Conv1d"):
        recurra.onnx.export(nn.Sequential(nn.Conv1d(1, 1, 1)), tmp_path / "model.onnx")


@pytest.mark.parametrize("model", [nn.Linear(2, 2), GRUCell(2, 2)], ids=["Linear", "GRUCell"])
def test_lengths_need_a_layer(model, tmp_path):
    with pytest.raises(OnnxError, match="lengths=True needs a recurrent layer"):
        recurra.onnx.export(model, tmp_path / "model.onnx", lengths=True)


@pytest.mark.parametrize("opset", [0, 17, 25, 1000])
def test_opsets_that_are_not_supported(opset, tmp_path):
    with pytest.raises(OnnxError, match=f"opset must be from 18 to 24; got {opset}"):
        recurra.onnx.export(GRU(2, 2), tmp_path / "model.onnx", opset=opset)


@pytest.mark.parametrize("cell", ["gru", "mgu"])
def test_a_state_of_another_batch_is_refused(cell, tmp_path):
    file = File(Recurrent(recurra.cells.all()[cell], 3, 4), tmp_path)
    feed = {"x": np.zeros((2, 4, 3), np.float32), "h_0": np.zeros((1, 3, 4), np.float32)}
    with pytest.raises(Exception, match=r"(?i)shape"):
        file.run(feed)
