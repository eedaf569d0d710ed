"""Layers and cells with ``compute=``: a precision of products of their own, whatever the context says."""

import copy
import pickle

import pytest
import torch

import recurra
from recurra import nn, runtime
from recurra.engines.precision import fast_products
from recurra.errors import FileFormatError
from recurra.model import Description
from recurra.model.kinds import with_compute
from recurra.nn.parts import describe

rounding = "bfloat16" in fast_products()
X = torch.randn(6, 4, 9, generator=torch.Generator().manual_seed(0))


def alike(layer, **changed):
    """A layer with the same weights, and other arguments."""
    other = type(layer)(layer.input_size, layer.hidden_size, **changed)
    other.load_state_dict(layer.state_dict())
    return other


def expected(layer, x=X):
    """Output in float32 and in bfloat16, as the context asks for."""
    outputs = []
    for precision in ("float32", "bfloat16"):
        with recurra.compute(precision):
            outputs.append(layer(x)[0])
    assert torch.equal(*outputs) != rounding
    return outputs


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_layer_s_own_precision_wins(kind):
    layer = kind(9, 33)
    plain, rounded = expected(layer)
    for compute, wanted in (("float32", plain), ("bfloat16", rounded)):
        own = alike(layer, compute=compute)
        for context in ("float32", "bfloat16"):
            with recurra.compute(context):
                assert torch.equal(own(X)[0], wanted)
                packed = torch.nn.utils.rnn.pack_padded_sequence(X, [6] * 4)
                assert torch.equal(torch.nn.utils.rnn.pad_packed_sequence(own(packed)[0])[0], wanted)
                reset = torch.zeros(6, 4, dtype=torch.bool)
                assert torch.equal(own(X, reset=reset)[0], wanted)
                compiled = torch.compile(lambda x, own=own: own(x)[0], backend="eager")
                assert torch.equal(compiled(X), wanted)
                with recurra.frozen(own.eval()), torch.no_grad():
                    assert torch.equal(own(X)[0], wanted)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_cell_s_own_precision_wins(kind):
    cell = kind(9, 33)
    plain, rounded = expected(cell, X[0])
    for compute, wanted in (("float32", plain), ("bfloat16", rounded)):
        own = alike(cell, compute=compute)
        assert torch.equal(own(X[0])[0], wanted)
        assert f"compute='{compute}'" in repr(own)


def test_gradients_are_computed_so_too():
    layer = nn.GRU(9, 33)
    with recurra.compute("bfloat16"):
        wanted = torch.autograd.grad(layer(X)[0].sum(), list(layer.parameters()))
    own = alike(layer, compute="bfloat16")
    found = torch.autograd.grad(own(X)[0].sum(), list(own.parameters()))
    assert all(map(torch.equal, found, wanted))


@pytest.mark.parametrize(
    "options",
    [
        {"residual": True},
        {"learn_initial_state": True},
        {"bidirectional": True, "merge_mode": "sum"},
        {"hidden_size": [9, 9]},
        {"zoneout": 0.3},
    ],
    ids=str,
)
def test_it_may_be_set_later_in_every_arrangement(options):
    layer = nn.Recurrent(recurra.cells.mgu, 9, **{"hidden_size": 9, **options}).eval()
    plain, rounded = expected(layer)
    assert torch.equal(layer(X)[0], plain)
    reset = torch.zeros(6, 4, dtype=torch.bool)
    for compute, wanted in (("bfloat16", rounded), ("float32", plain), (None, plain)):
        layer.compute = compute
        assert torch.equal(layer(X)[0], wanted)
        assert torch.equal(layer(X, reset=reset)[0], wanted)


def test_copies_pickles_and_repr_have_it():
    layer = nn.LSTM(9, 33, compute="bfloat16")
    assert repr(layer) == "LSTM(9, 33, compute='bfloat16')"
    assert list(layer.state_dict()) == list(nn.LSTM(9, 33).state_dict())
    wanted = layer(X)[0]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.compute == "bfloat16"
        assert torch.equal(other(X)[0], wanted)
    with recurra.compute("bfloat16"):
        assert torch.equal(alike(layer)(X)[0], wanted)


def test_a_layer_in_bfloat16_may_compute_in_float32():
    layer = nn.GRU(9, 33).to(torch.bfloat16)
    own = nn.GRU(9, 33, compute="float32").to(torch.bfloat16)
    own.load_state_dict(layer.state_dict())
    wide = nn.GRU(9, 33)
    wide.load_state_dict(layer.state_dict())
    x = X.bfloat16()
    assert torch.equal(own(x)[0], wide(x.float())[0].bfloat16())
    rounded = nn.GRU(9, 33, compute="bfloat16").to(torch.bfloat16)
    rounded.load_state_dict(layer.state_dict())
    assert torch.equal(rounded(x)[0], layer(x)[0])


def test_a_stack_asks_for_its_parts():
    parts = nn.LSTM(9, 5, compute="float32"), torch.nn.Linear(5, 7), torch.nn.Sequential(nn.GRU(7, 3))
    stack = nn.Stack(*parts, compute="bfloat16")
    assert parts[0].compute == "float32"
    assert parts[2][0].compute == "bfloat16"
    assert nn.Stack(nn.RNN(9, 5))[0].compute is None


def test_accelerated_modules_have_it():
    model = torch.nn.Sequential(torch.nn.LSTM(9, 33))
    ours = nn.LSTM(9, 33)
    ours.load_state_dict(model[0].state_dict())
    _, rounded = expected(ours)
    recurra.accelerate(model, compute="bfloat16")
    assert torch.equal(model[0](X)[0], rounded)
    recurra.accelerate(model)
    assert model[0].compute == "bfloat16"
    assert describe(model).root.children[0][1].compute == "bfloat16"
    recurra.nn.restore(model)
    assert type(model[0]) is torch.nn.LSTM
    assert "compute" not in vars(model[0])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: nn.LSTM(3, 4, compute="half"), "LSTM"),
        (lambda: nn.GRUCell(3, 4, compute="half"), "GRUCell"),
        (lambda: nn.Stack(compute="half"), "Stack"),
        (lambda: recurra.accelerate(torch.nn.GRU(3, 4), compute="half"), "accelerate"),
        (lambda: setattr(nn.RNN(3, 4), "compute", "half"), "RNN"),
    ],
)
def test_an_unknown_precision_is_named(call, kind):
    message = f"{kind}: compute='half': there is no precision 'half'; there are float32, bfloat16"
    with pytest.raises(ValueError, match=message):
        call()


def test_files_keep_it(tmp_path):
    """The runtime computes as the layer did, and a file without the setting follows the context as before."""
    for compute in (None, "float32", "bfloat16"):
        layer = nn.Stack(nn.GRU(9, 33, compute=compute), nn.LSTM(33, 8, compute=compute)).eval()
        path = tmp_path / str(compute)
        recurra.save(layer, path)
        assert [part.compute for _, part in describe(layer).root.children] == [compute] * 2
        assert [part.compute for part in recurra.load(path)] == [compute] * 2
        model = runtime.load(path)
        for context in ("float32", "bfloat16"):
            with recurra.compute(context), torch.no_grad():
                wanted = layer(X)[0].numpy()
                assert (model(X.numpy())[0] == wanted).all()
                stream = model.stream(4)
                assert all((stream.step(x.numpy()) == y).all() for x, y in zip(X, wanted, strict=True))


def test_cells_files_keep_it(tmp_path):
    recurra.save(nn.LSTMCell(9, 33, compute="bfloat16"), tmp_path / "m")
    assert recurra.load(tmp_path / "m").compute == "bfloat16"


def test_a_whole_model_is_told(tmp_path):
    """``recurra export --compute``: all products of the model, those of linear maps too."""
    module = nn.Stack(nn.GRU(9, 33), torch.nn.Linear(33, 8), torch.nn.Tanh()).eval()
    before = describe(module)
    told = Description(with_compute(before.root, "bfloat16"), before.weights)
    model, plain = runtime.Model(told), runtime.Model(before)
    with recurra.compute("bfloat16"):
        wanted = plain(X.numpy())[0]
    assert (model(X.numpy())[0] == wanted).all()
    assert (plain(X.numpy())[0] != wanted).any() == rounding
    assert isinstance(recurra.nn.parts.build(told)[1], torch.nn.Linear)


def test_a_file_with_an_unknown_precision_is_refused():
    before = describe(nn.GRU(9, 33))
    with pytest.raises(FileFormatError, match="compute must be null or one of float32, bfloat16, int8, not 'half'"):
        Description(with_compute(before.root, "half"), before.weights)
