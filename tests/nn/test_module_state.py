"""The state of a module: parameter lists, state dicts, copies, pickles, devices and dtypes."""

import copy
import io
import pickle

import pytest
import torch

from tests.nn.support import CELLS, LAYERS, assert_same, cell_input, gradients, ours, pair, theirs

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

VARIANTS = [
    ("RNN", {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"}),
    ("RNN", {"bias": False}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "proj_size": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"proj_size": 2, "bias": False}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
    ("GRU", {"bias": False, "batch_first": True}),
]
EVERYTHING = VARIANTS + [(name, {}) for name in CELLS] + [(name, {"bias": False}) for name in CELLS]

over_variants = pytest.mark.parametrize(("name", "kwargs"), VARIANTS, ids=str)
over_everything = pytest.mark.parametrize(("name", "kwargs"), EVERYTHING, ids=str)


def make(name, kwargs, seed=0):
    torch.manual_seed(seed)
    return getattr(ours, name)(5, 4, **kwargs)


def run(module, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    shape = (3, 5) if type(module).__name__.endswith("Cell") else (6, 3, 5)
    return module(torch.randn(shape, generator=generator, dtype=dtype))


@over_variants
def test_weight_lists(name, kwargs):
    module, reference = pair(name, 5, 4, **kwargs)
    assert module._flat_weights_names == reference._flat_weights_names
    assert module._all_weights == reference._all_weights
    named = dict(module.named_parameters())
    assert len(module._flat_weights) == len(named)
    for key, weight in zip(module._flat_weights_names, module._flat_weights, strict=True):
        assert weight is named[key]
    assert [len(row) for row in module.all_weights] == [len(row) for row in reference.all_weights]
    for row, keys in zip(module.all_weights, module._all_weights, strict=True):
        for weight, key in zip(row, keys, strict=True):
            assert weight is named[key]


@over_variants
def test_weight_lists_follow_a_conversion(name, kwargs):
    module = make(name, kwargs).double()
    assert all(a is b for a, b in zip(module._flat_weights, module.parameters(), strict=True))
    assert {weight.dtype for weight in module._flat_weights} == {torch.float64}


@over_variants
def test_flatten_parameters_changes_nothing(name, kwargs):
    module = make(name, kwargs)
    before, weights = run(module), list(module.parameters())
    assert module.flatten_parameters() is None
    assert all(a is b for a, b in zip(module.parameters(), weights, strict=True))
    assert_same(run(module), before)


@over_everything
def test_state_dict_loads_strictly_both_ways(name, kwargs):
    module, reference = pair(name, 5, 4, seed=1, **kwargs)
    assert_same(run(module), run(reference))
    torch.manual_seed(2)
    for parameter in module.parameters():
        parameter.data.normal_()
    reference.load_state_dict(module.state_dict(), strict=True)
    assert_same(run(module), run(reference))
    for damage in ({"weight_extra": torch.zeros(1)}, None):
        state = module.state_dict()
        if damage is None:
            state.pop(next(iter(state)))
        else:
            state.update(damage)
        with pytest.raises(RuntimeError, match="state_dict"):
            make(name, kwargs).load_state_dict(state, strict=True)


@over_everything
def test_load_state_dict_by_assignment(name, kwargs):
    donor = make(name, kwargs, seed=4)
    state = {key: value.clone() for key, value in donor.state_dict().items()}
    module = getattr(ours, name)(5, 4, **kwargs, device="meta")
    module.load_state_dict(state, strict=True, assign=True)
    for key, parameter in module.named_parameters():
        assert parameter.data_ptr() == state[key].data_ptr()
    assert_same(run(module), run(donor))
    if name in LAYERS:
        assert all(a is b for a, b in zip(module._flat_weights, module.parameters(), strict=True))


@over_everything
def test_meta_device_to_empty_then_load(name, kwargs):
    donor = make(name, kwargs, seed=4)
    module = getattr(ours, name)(5, 4, **kwargs, device="meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    module = module.to_empty(device="cpu")
    module.load_state_dict(donor.state_dict())
    assert_same(run(module), run(donor))


@over_everything
def test_changing_dtype(name, kwargs):
    module, reference = pair(name, 5, 4, **kwargs)
    assert_same(run(module.double(), torch.float64), run(reference.double(), torch.float64))
    assert_same(run(module.to(torch.float32)), run(reference.to(torch.float32)))


def through_pickle(module):
    return pickle.loads(pickle.dumps(module))


def through_torch_save(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle, through_torch_save])
@over_everything
def test_copies_are_equal_and_independent(name, kwargs, duplicate):
    module = make(name, kwargs)
    run(module)  # a copy taken after use is as independent
    other = duplicate(module)
    assert type(other) is type(module)
    assert str(other) == str(module)
    expected = run(module)
    assert_same(run(other), expected)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert_same(run(module), expected)
    zero = run(other)
    assert all(not t.any() for t in (zero if name == "LSTMCell" else zero[:1] if name in LAYERS else [zero]))
    grads = gradients(run(other), list(other.parameters()))
    assert len(grads) == len(list(module.parameters()))


@pytest.mark.parametrize(("name", "kwargs"), EVERYTHING, ids=str)
def test_weights_saved_by_torch_are_loaded_with_weights_only(name, kwargs):
    reference = getattr(theirs, name)(5, 4, **kwargs)
    file = io.BytesIO()
    torch.save(reference.state_dict(), file)
    file.seek(0)
    module = make(name, kwargs, seed=9)
    module.load_state_dict(torch.load(file, weights_only=True))
    assert_same(run(module), run(reference))


@over_everything
def test_shared_memory(name, kwargs):
    module = make(name, kwargs)
    expected = run(module)
    assert module.share_memory() is module
    assert all(parameter.is_shared() for parameter in module.parameters())
    assert_same(run(module), expected)


@over_everything
def test_modes(name, kwargs):
    module = make(name, kwargs)
    assert module.eval() is module
    assert not module.training
    assert module.train().training
    assert module.requires_grad_(False) is module
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_can_be_set_after_construction(name):
    """Code that tunes dropout during training assigns the attribute."""
    module, reference = pair(name, 5, 4, num_layers=2)
    x = torch.randn(6, 3, 5)
    module.dropout = reference.dropout = 0.5
    torch.manual_seed(1)
    actual = module(x)
    torch.manual_seed(1)
    assert_same(actual, reference(x))


@pytest.mark.parametrize("name", CELLS)
def test_cell_steps_make_a_layer(name):
    """The weights of a cell are those of a one-layer layer, and steps of the cell give the layer's results."""
    cell, layer = make(name, {}), make(name[:-4], {}, seed=1)
    layer.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    x, state = torch.randn(6, 3, 5), cell_input(name)[1]
    hx = tuple(s.unsqueeze(0) for s in state) if name == "LSTMCell" else state.unsqueeze(0)
    output, _ = layer(x, hx)
    for step in range(6):
        state = cell(x[step], state)
        assert_same(state[0] if name == "LSTMCell" else state, output[step])
