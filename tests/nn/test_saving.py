"""`save` and `load`: a loaded module computes the same, and a refusal names the part that cannot be saved."""

import subprocess
import sys

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

import recurra
from recurra import cells, runtime
from recurra.errors import FileFormatError
from recurra.model import KINDS
from recurra.model.kinds import kinds_of
from recurra.nn import (
    GRU,
    LSTM,
    RNN,
    AdaptiveSoftmax,
    GRUCell,
    LastStep,
    LSTMCell,
    Recurrent,
    RecurrentCell,
    RNNCell,
    Stack,
    VariationalDropout,
)
from recurra.nn.parts import ROWS, describe
from recurra.vocabulary import Vocabulary
from tests.random_cells import random_cell

EXAMPLES = {
    "Recurrent": Recurrent(cells.mgu, 6, 6, 2, bidirectional=True),
    "RNN": RNN(6, 6, nonlinearity="relu"),
    "LSTM": LSTM(6, 7, 2, proj_size=6, bias=False),
    "GRU": GRU(6, 6, bidirectional=True),
    "Linear": nn.Linear(6, 3),
    "AdaptiveSoftmax": AdaptiveSoftmax(6, 12, [3, 5], div_value=2, head_bias=True),
    "LayerNorm": nn.LayerNorm(6, bias=False),
    "RMSNorm": nn.RMSNorm(6),
    "LastStep": LastStep(bidirectional=True),
    "Dropout": nn.Dropout(0.3),
    "VariationalDropout": VariationalDropout(0.3),
    "Identity": nn.Identity(),
    "ReLU": nn.ReLU(),
    "Tanh": nn.Tanh(),
    "Sigmoid": nn.Sigmoid(),
    "SiLU": nn.SiLU(),
    "Softsign": nn.Softsign(),
    "Hardtanh": nn.Hardtanh(-0.5, 0.25),
    "ELU": nn.ELU(0.5),
    "LeakyReLU": nn.LeakyReLU(0.3),
    "Softplus": nn.Softplus(2, 10),
    "GELU": nn.GELU(),
    "PReLU": nn.PReLU(init=0.4),
    "ReLU6": nn.ReLU6(),
    "LogSigmoid": nn.LogSigmoid(),
    "Mish": nn.Mish(),
    "Hardsigmoid": nn.Hardsigmoid(),
    "Hardswish": nn.Hardswish(),
    "CELU": nn.CELU(0.7),
    "SELU": nn.SELU(),
    "Tanhshrink": nn.Tanhshrink(),
    "Softshrink": nn.Softshrink(0.4),
    "Hardshrink": nn.Hardshrink(0.4),
    "Threshold": nn.Threshold(0.2, -3.0),
    "Softmax": nn.Softmax(-1),
    "Softmin": nn.Softmin(-1),
    "LogSoftmax": nn.LogSoftmax(-1),
}
CELLS = {
    "RecurrentCell": RecurrentCell(cells.peephole_lstm, 6, 6),
    "RNNCell": RNNCell(6, 6, nonlinearity="relu"),
    "LSTMCell": LSTMCell(6, 6, bias=False),
    "GRUCell": GRUCell(6, 6),
}


def flat(state):
    return [value for each in state for value in flat(each)] if isinstance(state, (tuple, list)) else [state]


def assert_same_numbers(module, path, x, tolerance=1e-6):
    """Check that the module, the loaded module, and the runtime's model of the file compute the same."""
    module.eval()
    recurra.save(module, path)
    loaded, model = recurra.load(path), runtime.load(path)
    assert loaded.state_dict().keys() == module.state_dict().keys()
    with torch.no_grad():
        expected, again = module(x), loaded(x)
    for a, b in zip(flat(expected), flat(again), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    output, state = model(x.numpy())
    found = flat(state) if "Cell" in type(module).__name__ else [output, *flat(state)]
    for a, b in zip(flat(expected), found, strict=True):
        np.testing.assert_allclose(b, a.numpy(), rtol=tolerance, atol=tolerance)
    return loaded


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_part(kind, tmp_path):
    loaded = assert_same_numbers(EXAMPLES[kind], tmp_path / "m", torch.randn(5, 3, 6) * 2)
    assert type(loaded) is type(EXAMPLES[kind])
    assert repr(loaded) == repr(EXAMPLES[kind])


@pytest.mark.parametrize("kind", CELLS)
def test_every_cell(kind, tmp_path):
    loaded = assert_same_numbers(CELLS[kind], tmp_path / "m", torch.randn(3, 6))
    assert type(loaded) is type(CELLS[kind])


def test_every_kind_has_a_module():
    assert {row.kind for row in ROWS.values()} | set(kinds_of("container", "models")) == set(KINDS)
    assert {*EXAMPLES, *CELLS, *kinds_of("container", "models"), "Embedding"} == set(KINDS)


def test_bit_for_bit_on_the_same_engine(tmp_path):
    """The runtime gives the same bits as the torch front, if layers run natively."""
    stack = Stack(Recurrent(cells.lstm, 6, 20, 2, bidirectional=True), Recurrent(cells.gru, 40, 9)).eval()
    recurra.save(stack, tmp_path / "m")
    x = torch.randn(7, 3, 6)
    with torch.no_grad():
        output, state = stack(x)
    found, last = runtime.load(tmp_path / "m")(x.numpy())
    assert np.array_equal(found, output.numpy())
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(flat(last), flat(state), strict=True))


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), layers=st.integers(1, 2), bias=st.booleans(), batch_first=st.booleans())
def test_generated_cells_travel(tmp_path_factory, seed, layers, bias, batch_first):
    module = Recurrent(random_cell(seed), 6, 6, layers, bias, batch_first)
    path = tmp_path_factory.mktemp("m") / "m"
    assert_same_numbers(module, path, torch.randn(4, 2, 6) * 0.1, 1e-5)


def test_a_cell_loads_where_its_source_does_not_exist(tmp_path):
    source = (
        "import sys, torch, recurra\n"
        "@recurra.cell(init={'b': 1.0}, output='y')\n"
        "def strange(x, h, *, W, U, b, V, k=2.0):\n"
        "    h = recurra.tanh(x @ W + k * (h @ U) + b)\n"
        "    y = recurra.sigmoid(h @ V)\n"
        "    return h\n"
        "torch.manual_seed(0)\n"
        "layer = recurra.nn.Recurrent(strange, 3, 4, k=0.5)\n"
        "recurra.save(layer, sys.argv[1])\n"
        "print(layer(torch.ones(2, 1, 3))[0].flatten().tolist())\n"
    )
    script = tmp_path / "script.py"
    script.write_text(source)
    path = str(tmp_path / "m")
    run = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=True)
    layer = recurra.load(path)
    assert layer(torch.ones(2, 1, 3))[0].flatten().tolist() == eval(run.stdout)
    assert layer.cell.name == "strange"
    layer.reset_parameters()
    assert layer.b_l0.tolist() == [1.0] * 4
    assert "strange" in str(recurra.explain(layer, torch.ones(2, 1, 3)))
    with pytest.raises(recurra.EquationError, match="comes from a file"):
        layer.cell(1, 2)


def test_a_loaded_layer_trains_copies_and_pickles(tmp_path):
    import copy
    import pickle

    recurra.save(Recurrent(cells.mgu, 3, 4, 2, bidirectional=True, dropout=0.5), tmp_path / "m")
    layer = recurra.load(tmp_path / "m")
    x = torch.randn(5, 2, 3)
    output, _ = layer(x)
    output.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], output)
    assert layer.dropout == 0.5
    assert not layer.training


def test_torch_modules_become_ours(tmp_path):
    module = Stack(nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True, dropout=0.2), nn.Linear(8, 1)).eval()
    recurra.save(module, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert type(loaded[0]) is LSTM
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(loaded(x)[0], module(x)[0], rtol=1e-5, atol=1e-6)
    for make in (nn.RNN, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        recurra.save(make(3, 4), tmp_path / "m")
        assert type(recurra.load(tmp_path / "m")).__name__ == make.__name__
    relu = nn.RNN(3, 4, nonlinearity="relu")
    recurra.save(relu, tmp_path / "m")
    assert recurra.load(tmp_path / "m").nonlinearity == "relu"


def test_safetensors_reads_the_file(tmp_path):
    module = Stack(nn.Embedding(5, 4), LSTM(4, 3))
    recurra.save(module, tmp_path / "m")
    tensors = safetensors.torch.load_file(tmp_path / "m")
    assert tensors.keys() == module.state_dict().keys()
    assert all(torch.equal(tensors[name], value) for name, value in module.state_dict().items())
    with safetensors.safe_open(tmp_path / "m", "np") as file:
        assert list(file.metadata()) == ["recurra"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_dtypes(dtype, tmp_path):
    module = Stack(nn.Embedding(5, 4), GRU(4, 3)).to(dtype).eval()
    recurra.save(module, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    for name, value in module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
        assert loaded.state_dict()[name].dtype == dtype
    ids = torch.tensor([[1], [4]])
    output, _ = runtime.load(tmp_path / "m")(ids.numpy())
    wide = module.to(torch.float64 if dtype == torch.float64 else torch.float32)
    np.testing.assert_allclose(output, wide(ids)[0].detach().numpy(), rtol=1e-6, atol=1e-6)


def test_tied_weights(tmp_path):
    embedding, output = nn.Embedding(7, 4), nn.Linear(4, 7)
    output.weight = embedding.weight
    recurra.save(Stack(embedding, GRU(4, 4), output), tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert loaded[2].weight is loaded[0].weight
    assert len(list(loaded.parameters())) == 1 + 4 + 1


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("given_", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}])
def test_a_plain_state_dict_loads_by_name(make, given_, tmp_path):
    module = make(3, 4, **given_)
    safetensors.torch.save_file({f"model.rnn.{k}": v for k, v in module.state_dict().items()}, tmp_path / "m")
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(recurra.load(tmp_path / "m")(x)[0], module(x)[0], rtol=1e-5, atol=1e-6)
    output, _ = runtime.load(tmp_path / "m")(x.numpy())
    np.testing.assert_allclose(output, module(x)[0].detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_projected_lstm_loads_by_name(tmp_path):
    module = LSTM(3, 5, proj_size=2)
    safetensors.torch.save_file(module.state_dict(), tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert (loaded.hidden_size, loaded.proj_size) == (5, 2)


def test_weights_go_into_a_module(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = LSTM(3, 4), nn.Linear(4, 1)

    trained, fresh = Net(), Net()
    safetensors.torch.save_file(trained.state_dict(), tmp_path / "m")
    with pytest.raises(FileFormatError, match=r"recurra\.load\(path, into=model\)"):
        recurra.load(tmp_path / "m")
    assert recurra.load(tmp_path / "m", into=fresh) is fresh
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), trained.parameters(), strict=True))
    with pytest.raises(FileFormatError, match="weight bias_hh_l0 is missing"):
        recurra.load(tmp_path / "m", into=LSTM(3, 4))
    safetensors.torch.save_file(nn.Sequential(nn.Linear(1, 1)).state_dict(), tmp_path / "n")
    with pytest.raises(FileFormatError, match=r"weight 0\.bias is not part of the module"):
        recurra.load(tmp_path / "n", into=nn.ReLU())
    normed = nn.Sequential(nn.BatchNorm1d(3))
    safetensors.torch.save_file(normed.state_dict(), tmp_path / "n")  # counts, in int64
    recurra.load(tmp_path / "n", into=normed)
    fresh.head = nn.Linear(4, 2)
    with pytest.raises(FileFormatError, match=r"head.bias has shape \(1,\), the module needs \(2,\)"):
        recurra.load(tmp_path / "m", into=fresh)


def sparse():
    module = nn.Linear(2, 2)
    module.weight = nn.Parameter(torch.eye(2).to_sparse())
    return module


@pytest.mark.parametrize(
    "module",
    [
        Stack(nn.Embedding(np.int64(5), 3, padding_idx=np.int64(1)), nn.Linear(3, np.int32(2))),
        nn.GRU(3, 4, num_layers=np.int64(2), dropout=np.float32(0.5)),
        GRUCell(np.int64(3), np.int64(4)),
        nn.LayerNorm(np.int64(4), eps=np.float32(1e-3)),
        nn.LeakyReLU(np.float32(0.5)),
        nn.Dropout(torch.tensor(0.5)),
    ],
)
def test_numbers_of_numpy(module, tmp_path):
    recurra.save(module, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), module.parameters(), strict=True))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv1d(1, 1, 1), "the module is a torch.nn.modules.conv.Conv1d: only known parts can be saved"),
        (Stack(nn.Linear(1, 1), Stack(nn.Bilinear(1, 1, 1))), "1.0 is a torch.nn.modules.linear.Bilinear"),
        (nn.Softmax(0), "dim=-1; it has dim=0"),
        (nn.PReLU(3), "PReLU must have one slope for all; it has 3"),
        (nn.LayerNorm((2, 3)), "over 2 dimensions"),
        (nn.Embedding(3, 2, max_norm=1.0), "max_norm"),
        (nn.Linear(2, 2, device="meta"), "on the device meta"),
        (nn.Linear(2, 2, dtype=torch.complex64), "complex64"),
        (nn.Linear(2, 2).to(torch.float8_e4m3fn), "weight weight, torch.float8_e4m3fn"),
        (sparse(), "weight weight is not dense, but sparse_coo"),
        (
            Stack(nn.Linear(3, 4), nn.Linear(5, 2)),
            r"1 \(Linear\) takes 5 features, and 0 \(Linear\), the part before it, gives 4",
        ),
        (Stack(nn.ReLU(), nn.Embedding(3, 4)), r"1 \(Embedding\) must be the first part"),
        (Stack(LSTM(3, 3, batch_first=True), LSTM(3, 3)), r"0 \(LSTM\) and 1 \(LSTM\) must agree in batch_first"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "remove_parametrizations"),
        (prune.random_unstructured(nn.Linear(2, 2), "weight", 0.5), "forward hooks"),
    ],
)
def test_what_cannot_be_saved_is_named(module, message, tmp_path):
    (tmp_path / "m").write_bytes(b"old")
    with pytest.raises(FileFormatError, match=message):
        recurra.save(module, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == b"old"


def test_a_module_that_does_something_else_is_refused(tmp_path):
    hooked, replaced = nn.Linear(2, 2), GRU(2, 2)
    hooked.register_forward_hook(lambda module, inputs, output: output * 100)
    replaced.forward = lambda x: x
    with pytest.raises(FileFormatError, match=r"0 \(Linear\) has forward hooks"):
        recurra.save(Stack(hooked), tmp_path / "m")
    with pytest.raises(FileFormatError, match="a forward of its own"):
        recurra.save(replaced, tmp_path / "m")
    with pytest.raises(TypeError, match=r"must be a recurra\.vocabulary\.vocabulary\.Vocabulary, not list"):
        recurra.save(nn.Embedding(2, 2), tmp_path / "m", vocabulary=["a", "b"])


def test_annotations_go_with_the_module(tmp_path):
    words = Vocabulary("char", ["<unk>", "a"])
    for arguments in ({"vocabulary": words}, {"annotations": {"vocabulary": words}}):
        recurra.save(Stack(nn.Embedding(2, 2), GRU(2, 2)), tmp_path / "m", **arguments)
        model = runtime.load(tmp_path / "m")
        assert model.vocabulary.tokens == model.annotations["vocabulary"].tokens == words.tokens
    before = (tmp_path / "m").read_bytes()
    with pytest.raises(TypeError, match="give the vocabulary once"):
        recurra.save(nn.Embedding(2, 2), tmp_path / "m", vocabulary=words, annotations={"vocabulary": words})
    with pytest.raises(FileFormatError, match="'licence' is not known; known are "):
        recurra.save(GRU(1, 2), tmp_path / "m", annotations={"licence": "mine"})
    with pytest.raises(TypeError, match=r"forecaster must be a recurra\.series\.recipe\.Recipe, not str"):
        recurra.save(GRU(1, 2), tmp_path / "m", annotations={"forecaster": "load"})
    assert (tmp_path / "m").read_bytes() == before


@pytest.mark.parametrize(
    "stack",
    [
        Stack(Stack(nn.Tanh()), GRU(3, 4)),
        Stack(Stack(LSTM(3, 4), GRU(4, 2)), nn.Linear(2, 5), Stack(GRU(5, 3)), Stack(nn.Tanh())),
        Stack(nn.Sequential(LSTM(3, 4)), Stack(Stack(Stack(GRU(4, 2))))),
        Stack(nn.Linear(3, 2), Stack(nn.ReLU())),
    ],
)
def test_states_are_nested_alike(stack, tmp_path):
    x = torch.randn(4, 2, 3)
    output, state = stack.eval()(x)
    recurra.save(stack, tmp_path / "m")
    model = runtime.load(tmp_path / "m")
    found, last = model(x.numpy())

    def shapes(value):
        return tuple(map(shapes, value)) if isinstance(value, tuple) else tuple(value.shape)

    assert shapes(last) == shapes(state)
    again, _ = stack(x, tensors_of(last))
    expected, _ = model(x.numpy(), last)
    np.testing.assert_allclose(again.detach().numpy(), expected, atol=1e-6)


def tensors_of(state):
    """Arrays as tensors."""
    return tuple(map(tensors_of, state)) if isinstance(state, tuple) else torch.from_numpy(np.array(state))


def test_permissions_and_links_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    recurra.save(nn.Linear(1, 1), real)
    real.chmod(0o600)
    link.symlink_to(real)
    recurra.save(nn.Linear(2, 2), link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert recurra.load(real).in_features == 2
    recurra.save(nn.Linear(1, 1), tmp_path / ("x" * 250))
    with pytest.raises(FileFormatError, match="Is a directory"):
        recurra.save(nn.Linear(1, 1), tmp_path)


def test_a_stack_with_its_own_forward_is_not_what_it_seems():
    class Other(Stack):
        def forward(self, input, state=None):
            return super().forward(-input, state)

    with pytest.raises(FileFormatError, match="has a forward of its own"):
        describe(Other(nn.Linear(1, 1)))


def test_bad_paths(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        recurra.load(tmp_path / "missing")
    with pytest.raises(FileFormatError, match="cannot be written: No such file"):
        recurra.save(nn.Linear(1, 1), tmp_path / "missing" / "m")
    with pytest.raises(FileFormatError, match="not a plain file"):
        recurra.load(tmp_path)


@pytest.mark.parametrize("module", [None, 3, {"weight": torch.ones(1)}])
def test_what_is_no_module(module, tmp_path):
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, not"):
        recurra.save(module, tmp_path / "m")
    assert not list(tmp_path.iterdir())
    recurra.save(nn.Linear(2, 2), tmp_path / "m")
    with pytest.raises(TypeError, match=r"into must be a torch.nn.Module, not int"):
        recurra.load(tmp_path / "m", into=3)


def test_a_module_without_memory_gets_nothing(tmp_path):
    recurra.save(GRU(3, 4), tmp_path / "m")
    with pytest.raises(FileFormatError, match=r"weight_ih_l0 is on the device meta: first call module.to_empty"):
        recurra.load(tmp_path / "m", into=nn.GRU(3, 4, device="meta"))
