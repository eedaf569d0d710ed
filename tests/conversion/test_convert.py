"""``convert``: torch's layout and that of any cell, names, and the resulting model."""

import logging

import numpy as np
import pytest

import recurra
from recurra.errors import RecurraError
from recurra.runtime import convert, load
from tests.cells.representatives import ZOO
from tests.conversion.weights import close, sigmoid, torch_weights, waves
from tests.runtime.models import layer, model, same

TORCH = ["RNN", "GRU", "LSTM"]


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 3, "bias": False}])
def test_a_state_dict_of_torch(kind, settings, tmp_path):
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, kind)(3, 4, **settings)
    made = convert(module.state_dict())
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        expected, state = module(x)
    output, last = made(x.numpy())
    close(output, expected.numpy(), 1e-6)
    for ours, theirs in zip(made.layout.nest.flatten(last), state if kind == "LSTM" else [state], strict=True):
        close(ours, theirs.numpy(), 1e-6)
    made.save(tmp_path / "model.safetensors")
    loaded = recurra.load(tmp_path / "model.safetensors")
    assert type(loaded) is getattr(recurra.nn, kind)
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in module.state_dict().items())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_projection_and_a_relu_of_torch():
    torch = pytest.importorskip("torch")
    x = torch.randn(5, 2, 3)
    for module, options in (
        (torch.nn.LSTM(3, 6, num_layers=2, proj_size=2, bidirectional=True), {}),
        (torch.nn.RNN(3, 4, nonlinearity="relu"), {"nonlinearity": "relu"}),
    ):
        with torch.no_grad():
            expected, _ = module(x)
        close(convert(module.state_dict(), **options)(x.numpy())[0], expected.numpy(), 1e-6)


def test_the_safetensors_file_of_a_whole_torch_model(tmp_path, caplog):
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    parts = torch.nn.ModuleDict(
        {"embedding": torch.nn.Embedding(7, 3), "lstm": torch.nn.LSTM(3, 4, 2), "head": torch.nn.Linear(4, 7)}
    )
    path = tmp_path / "model.safetensors"
    safetensors.save_file(parts.state_dict(), path)
    made = convert(path, embedding="embedding", output="head")
    ids = torch.randint(7, (6, 2))
    with torch.no_grad():
        expected = parts["head"](parts["lstm"](parts["embedding"](ids))[0])
    close(made(ids.numpy())[0], expected.numpy(), 1e-6)
    assert not caplog.records
    convert(path)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "lstm of 3 → 4 units in torch's order: lstm.weight_ih_l0, " in record.message
    assert record.message.endswith("not used: embedding.weight (7, 3), head.bias (7,), head.weight (7, 4)")


@pytest.mark.parametrize(
    "prefix", ["", "enc_", "encoder.lstm.", "module/enc/", "_orig_mod.model.encoder."], ids=lambda text: text or "none"
)
@pytest.mark.parametrize("short", [False, True])
def test_names_behind_any_prefix(prefix, short):
    def renamed(name):
        return name.replace("weight", "w").replace("bias", "b").removesuffix("_l0") if short else name

    weights = torch_weights(4)
    expected, _ = convert(weights)(np.ones((3, 1, 3)))
    made = convert({prefix + renamed(name): value for name, value in weights.items()})
    assert same(made(np.ones((3, 1, 3)))[0], expected)


def test_one_layer_of_several_and_layers_in_a_stack():
    first, second = torch_weights(3, 3, 4), torch_weights(3, 4, 2, directions=2, seed=1)
    source = {f"encoder.first.{name}": value for name, value in first.items()}
    source |= {f"encoder.second.{name}": value for name, value in second.items()}
    x = np.ones((3, 1, 3), np.float32)
    middle, _ = convert(first)(x)
    for names in ("encoder.first.", "encoder.first", "first"):
        assert same(convert(source, names=names)(x)[0], middle)
    made = convert(source, names=["first", "second"])
    output, states = made(x)
    assert same(output, convert(second)(middle)[0])
    assert [state.shape for state in states] == [(1, 1, 4), (2, 1, 2)]
    with pytest.raises(
        RecurraError, match=r"names=None may mean any of 'encoder.first.', 'encoder.second.'; say which"
    ):
        convert(source)
    with pytest.raises(RecurraError, match=r"names='encoder' may mean any of"):
        convert(source, names="encoder")
    with pytest.raises(
        RecurraError, match=r"'third': there is no such prefix; there are 'encoder.first.', 'encoder.second.'"
    ):
        convert(source, names="third")
    with pytest.raises(RecurraError, match=r"first gives 4 features, first takes 3$"):
        convert(source, names=["first", "first"])


def test_any_cell_has_its_own_names():
    cell = recurra.cells.peephole_lstm
    shapes = {"W": (3, 2), "U": (2, 2), "p": (2,), "b": (2,)}
    source = {f"cell/{name}": waves(shapes[name[0]], number) for number, name in enumerate(cell.parameters)}
    made = convert(source, cell=cell)
    x = waves((4, 1, 3), 0.5)
    state = np.zeros((1, 2)), np.zeros((1, 2))
    W, U, p, b = ({name[-1]: source[name] for name in source if name[5] == kind} for kind in "WUpb")
    expected = []
    for x_t in x:
        h, c = state
        i, f = (sigmoid(x_t @ W[k] + h @ U[k] + p[k] * c + b[k]) for k in "if")
        c = f * c + i * np.tanh(x_t @ W["g"] + h @ U["g"] + b["g"])
        o = sigmoid(x_t @ W["o"] + h @ U["o"] + p["o"] * c + b["o"])
        state = o * np.tanh(c), c
        expected.append(state[0])
    close(made(x)[0], np.stack(expected))
    assert made.description.root.settings["input_size"] == 3


@pytest.mark.parametrize("name", ZOO)
def test_every_cell_of_the_zoo(name):
    layers = 1 if name == "antisymmetric_rnn" else 2  # its second layer would get twice the features
    original = model(layer(ZOO[name], 5, 5, num_layers=layers, bidirectional=True))
    source = {key: weight.values() for key, weight in original.description.weights.items()}
    x = np.random.default_rng(1).standard_normal((4, 2, 5))
    assert same(convert(source, cell=name)(x)[0], original(x)[0])


def test_dtypes():
    weights = torch_weights(3)
    x = np.ones((3, 1, 3))
    expected, _ = convert(weights)(x)
    half = {name: value.astype(np.float16) for name, value in weights.items()}
    made = convert(half)
    assert {weight.dtype for weight in made.description.weights.values()} == {"float16"}
    close(made(x)[0], expected, 1e-2)
    mixed = convert({**weights, "weight_ih_l0": weights["weight_ih_l0"].astype(np.float64)})
    assert mixed.dtype == np.float64
    close(mixed(x)[0], expected, 1e-6)
    layers = {f"{side}.{name}": value for side, sort in (("a", half), ("b", weights)) for name, value in sort.items()}
    layers["b.weight_ih_l0"] = layers["b.weight_ih_l0"][:, [0, 1, 2, 0]]
    mixed = convert(layers, names=["a", "b"])
    assert {weight.dtype for weight in mixed.description.weights.values()} == {"float32"}
    swapped = convert({name: value.astype(">f4") for name, value in weights.items()})
    assert same(swapped(x)[0], expected)


def test_bfloat16():
    bits = pytest.importorskip("ml_dtypes").bfloat16
    made = convert({name: value.astype(bits) for name, value in torch_weights(3).items()})
    rounded = {name: value.astype(bits).astype(np.float32) for name, value in torch_weights(3).items()}
    assert same(made(np.ones((3, 1, 3)))[0], convert(rounded)(np.ones((3, 1, 3)))[0])


def test_the_model_keeps_weights_of_its_own(tmp_path):
    weights = {name: np.asfortranarray(value) for name, value in torch_weights(4).items()}
    made = convert(weights)
    expected, _ = made(np.ones((3, 1, 3)))
    for value in weights.values():
        value[:] = 0
    assert same(made(np.ones((3, 1, 3)))[0], expected)
    made.save(tmp_path / "model")
    assert same(load(tmp_path / "model")(np.ones((3, 1, 3)))[0], expected)


def test_tensors_that_numpy_cannot_read():
    torch = pytest.importorskip("torch")
    layer = torch.nn.GRU(3, 4).bfloat16()
    x = np.ones((3, 1, 3), np.float32)
    expected, _ = convert({name: weight.float().numpy() for name, weight in layer.state_dict().items()})(x)
    assert same(convert(layer.state_dict())(x)[0], expected)
    assert same(convert(dict(layer.named_parameters()))(x)[0], expected)
    with pytest.raises(RecurraError, match="weight_ih_l0 is no array of numbers"):
        convert({name: weight.to(torch.float8_e4m3fn) for name, weight in layer.state_dict().items()})


def test_it_is_recurras():
    assert recurra.convert is convert


def test_a_guess_that_leaves_nothing_is_told_quietly(caplog):
    caplog.set_level(logging.INFO, "recurra")
    convert(torch_weights(4))
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert record.message == (
        "the source: lstm of 3 → 4 units in torch's order: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0"
    )


def test_a_cell_with_sizes_of_its_own():
    torch = pytest.importorskip("torch")

    @recurra.cell
    def low_rank(x, h, *, W, U, V):
        return recurra.tanh(x @ W + h @ (U @ V))

    sizes = {"U": ("hidden", 2)}
    layer = recurra.nn.Recurrent(low_rank, 3, 5, sizes=sizes)
    x = torch.randn(6, 2, 3)
    model = recurra.convert(layer.state_dict(), cell=low_rank, sizes=sizes)
    assert np.array_equal(model(x.numpy())[0], layer(x)[0].detach().numpy())
    with pytest.raises(recurra.RecurraError, match=r"U \(U_l0\) must have shape \(5, 3\)"):
        recurra.convert(layer.state_dict(), cell=low_rank, sizes={"U": ("hidden", 3)})
