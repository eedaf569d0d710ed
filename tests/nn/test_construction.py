"""Constructors: the arguments, their order, attributes, printing, warnings and refusals of torch.nn."""

import inspect
import warnings

import pytest
import torch

from tests.nn.support import CELLS, LAYERS, ours, theirs

ATTRIBUTES = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size", "mode",
)  # fmt: skip
CELL_ATTRIBUTES = ("input_size", "hidden_size", "bias")

POSITIONAL = [
    ("RNN", (3, 4)),
    ("RNN", (3, 4, 2, "relu")),
    ("RNN", (3, 4, 2, "relu", False, True, 0.5, True)),
    ("RNN", (3, 4, 2, "tanh", True, True, 1, False)),
    ("LSTM", (3, 5)),
    ("LSTM", (3, 5, 2, False, True, 0.25, True)),
    ("LSTM", (3, 5, 2, True, False, 0, True, 2)),
    ("LSTM", (3, 5, 1, True, False, 0.0, False, 2, "cpu", torch.float64)),
    ("GRU", (3, 4)),
    ("GRU", (3, 4, 2, False, True, 0.5, True)),
    ("RNNCell", (3, 4, False, "relu")),
    ("RNNCell", (3, 4, True, "tanh", "cpu", torch.float64)),
    ("LSTMCell", (3, 4, False)),
    ("LSTMCell", (3, 4, True, "cpu", torch.float64)),
    ("GRUCell", (3, 4, False)),
    ("GRUCell", (3, 4, True, "cpu", torch.float64)),
]

KEYWORDS = [
    ("RNN", {"num_layers": 3, "nonlinearity": "relu", "bidirectional": True}),
    ("RNN", {"bias": False, "batch_first": True}),
    ("LSTM", {"num_layers": 2, "proj_size": 2, "bidirectional": True, "dropout": 0.5}),
    ("LSTM", {"bias": False, "proj_size": 1}),
    ("LSTM", {"num_layers": 2, "bias": False, "batch_first": True, "dtype": torch.float64}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "device": "cpu"}),
    ("GRU", {"bias": False, "num_layers": 3, "dropout": 1}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("RNNCell", {"bias": False, "dtype": torch.float64}),
    ("LSTMCell", {"bias": False}),
    ("LSTMCell", {"bias": True}),
    ("GRUCell", {"bias": False}),
    ("GRUCell", {"dtype": torch.float64}),
]

CONFIGURATIONS = [(name, args, {}) for name, args in POSITIONAL] + [(name, (3, 4), kw) for name, kw in KEYWORDS]


def label(value):
    return value if isinstance(value, str) else repr(value)


def both(name, *args, **kwargs):
    return getattr(ours, name)(*args, **kwargs), getattr(theirs, name)(*args, **kwargs)


@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=label)
def test_attributes(name, args, kwargs):
    module, reference = both(name, *args, **kwargs)
    for attribute in ATTRIBUTES if name in LAYERS else CELL_ATTRIBUTES:
        mine, other = getattr(module, attribute), getattr(reference, attribute)
        assert mine == other, attribute
        assert type(mine) is type(other), attribute
    if name.startswith("RNN"):
        assert module.nonlinearity == reference.nonlinearity
    assert isinstance(module, torch.nn.Module)
    assert module.training


@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=label)
def test_parameters_are_torch_bit_for_bit_under_the_same_seed(name, args, kwargs):
    torch.manual_seed(11)
    reference = getattr(theirs, name)(*args, **kwargs)
    following = torch.rand(3)
    torch.manual_seed(11)
    module = getattr(ours, name)(*args, **kwargs)
    assert torch.equal(torch.rand(3), following), "drew more or fewer random numbers than torch"
    mine, other = list(module.named_parameters()), list(reference.named_parameters())
    assert [key for key, _ in mine] == [key for key, _ in other]
    assert list(module.state_dict()) == list(reference.state_dict())
    for (key, parameter), (_, expected) in zip(mine, other, strict=True):
        assert isinstance(parameter, torch.nn.Parameter), key
        assert parameter.dtype is expected.dtype, key
        assert torch.equal(parameter, expected), key
        assert parameter.requires_grad, key


@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=label)
def test_reset_parameters_redraws_as_torch_does(name, args, kwargs):
    module, reference = both(name, *args, **kwargs)
    torch.manual_seed(5)
    module.reset_parameters()
    torch.manual_seed(5)
    reference.reset_parameters()
    for mine, other in zip(module.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=label)
def test_printing(name, args, kwargs):
    module, reference = both(name, *args, **kwargs)
    allowed = {str(reference)}
    if name == "RNN" and reference.nonlinearity == "relu":
        allowed |= {str(reference)[:-1] + extra + ")" for extra in (", nonlinearity=relu", ", nonlinearity='relu'")}
    assert str(module) in allowed
    assert f"{name}({module.extra_repr()})" == str(module)


@pytest.mark.parametrize("name", CELLS)
def test_cell_without_bias_has_none_in_its_place(name):
    cell = getattr(ours, name)(3, 4, bias=False)
    assert cell.bias_ih is None
    assert cell.bias_hh is None
    assert list(cell.state_dict()) == ["weight_ih", "weight_hh"]


@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_default_dtype_and_device_are_respected(name):
    torch.set_default_dtype(torch.float64)
    try:
        module = getattr(ours, name)(3, 4)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {p.dtype for p in module.parameters()} == {torch.float64}
    with torch.device("meta"):
        module = getattr(ours, name)(3, 4)
    assert {p.device.type for p in module.parameters()} == {"meta"}


@pytest.mark.parametrize("name", LAYERS)
def test_flags_that_torch_does_not_check_are_accepted(name):
    module, reference = both(name, 3, 4, num_layers=True, bidirectional=1)
    assert list(module.state_dict()) == list(reference.state_dict())


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_with_one_layer_warns_at_the_caller(name):
    with pytest.warns(UserWarning, match="dropout option") as theirs_said:
        getattr(theirs, name)(3, 4, dropout=0.5)
    line = inspect.currentframe().f_lineno + 2
    with pytest.warns(UserWarning, match="dropout option") as ours_said:
        module = getattr(ours, name)(3, 4, dropout=0.5)
    (mine,), (other,) = ours_said.list, theirs_said.list
    address = "(recurra explain --mistake dropout-in-one-layer)"
    assert str(mine.message) == f"{other.message} {address}"
    assert mine.category is other.category
    assert (mine.filename, mine.lineno) == (__file__, line)
    assert module.dropout == 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(ours, name)(3, 4, num_layers=2, dropout=0.5)


NOT_A_NUMBER = float("nan")

REFUSED = [
    ("dropout not numeric", (3, 4), {"dropout": "a"}),
    ("dropout none", (3, 4), {"dropout": None}),
    ("dropout bool", (3, 4), {"dropout": True}),
    ("dropout nan", (3, 4), {"dropout": NOT_A_NUMBER}),
    ("dropout negative", (3, 4), {"dropout": -0.1}),
    ("dropout above one", (3, 4), {"dropout": 1.5}),
    ("bias int", (3, 4), {"bias": 1}),
    ("bias none", (3, 4), {"bias": None}),
    ("batch_first int", (3, 4), {"batch_first": 1}),
    ("batch_first string", (3, 4), {"batch_first": "yes"}),
    ("input_size float", (3.0, 4), {}),
    ("input_size string", ("3", 4), {}),
    ("input_size zero", (0, 4), {}),
    ("input_size negative", (-3, 4), {}),
    ("hidden_size float", (3, 4.0), {}),
    ("hidden_size none", (3, None), {}),
    ("hidden_size zero", (3, 0), {}),
    ("hidden_size negative", (3, -4), {}),
    ("num_layers zero", (3, 4), {"num_layers": 0}),
    ("num_layers negative", (3, 4), {"num_layers": -1}),
    ("num_layers float", (3, 4), {"num_layers": 1.5}),
    ("num_layers string", (3, 4), {"num_layers": "2"}),
    ("no hidden_size", (3,), {}),
    ("nothing", (), {}),
    ("unknown argument", (3, 4), {"layers": 2}),
    ("wrong dtype", (3, 4), {"dtype": "float32"}),
    ("integer dtype", (3, 4), {"dtype": torch.int64}),
    ("unknown device", (3, 4), {"device": "nowhere"}),
]
LSTM_REFUSED = [
    ("proj_size negative", (3, 4), {"proj_size": -1}),
    ("proj_size of hidden_size", (3, 4), {"proj_size": 4}),
    ("proj_size above hidden_size", (3, 4), {"proj_size": 9}),
    ("nonlinearity", (3, 4), {"nonlinearity": "relu"}),
]
GRU_REFUSED = [
    ("proj_size", (3, 4), {"proj_size": 2}),
    ("proj_size zero", (3, 4), {"proj_size": 0}),
    ("nonlinearity", (3, 4), {"nonlinearity": "relu"}),
]
RNN_REFUSED = [
    ("proj_size", (3, 4), {"proj_size": 2}),
    ("proj_size zero", (3, 4), {"proj_size": 0}),
    ("nonlinearity unknown", (3, 4), {"nonlinearity": "sigmoid"}),
    ("nonlinearity none", (3, 4), {"nonlinearity": None}),
    ("nonlinearity unknown, by position", (3, 4, 1, "sigmoid"), {}),
    ("nonlinearity twice", (3, 4, 1, "tanh"), {"nonlinearity": "tanh"}),
    ("bias where the nonlinearity goes", (3, 4, 1, True), {}),
]
ALL_REFUSED = [(name, *row) for name in LAYERS for row in REFUSED]
ALL_REFUSED += [("LSTM", *row) for row in LSTM_REFUSED]
ALL_REFUSED += [("GRU", *row) for row in GRU_REFUSED]
ALL_REFUSED += [("RNN", *row) for row in RNN_REFUSED]
CELLS_REFUSED = [
    ("no hidden_size", (3,), {}),
    ("unknown argument", (3, 4), {"num_layers": 2}),
    ("input_size float", (3.5, 4), {}),
    ("hidden_size string", (3, "4"), {}),
    ("negative size", (3, -4), {}),
    ("proj_size", (3, 4), {"proj_size": 2}),
]
ALL_REFUSED += [(name, *row) for name in CELLS for row in CELLS_REFUSED]


@pytest.mark.parametrize(("name", "what", "args", "kwargs"), ALL_REFUSED, ids=[f"{r[0]}-{r[1]}" for r in ALL_REFUSED])
def test_refused_with_the_exception_of_torch(name, what, args, kwargs):
    with pytest.raises(Exception) as expected:  # noqa: PT011, whatever torch raises
        getattr(theirs, name)(*args, **kwargs)
    with pytest.raises(expected.type) as refused:
        getattr(ours, name)(*args, **kwargs)
    assert str(refused.value).strip()


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_projection_by_position_is_refused_at_construction(name):
    """torch accepts it and fails in forward."""
    args = (3, 4, 1, "tanh", True, False, 0.0, False, 2) if name == "RNN" else (3, 4, 1, True, False, 0.0, False, 2)
    with pytest.raises((ValueError, TypeError)):
        getattr(ours, name)(*args)


def test_a_cell_of_unknown_nonlinearity_is_refused():
    """torch refuses at the first call; a refusal at construction is as good."""
    with pytest.raises((ValueError, RuntimeError), match=r"(?i)nonlinearity"):
        ours.RNNCell(3, 4, nonlinearity="sigmoid")(torch.randn(2, 3))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("input_size", [3, 0])
def test_a_cell_without_units_returns_states_without_elements(name, input_size):
    x = torch.randn(2, input_size, requires_grad=True)
    theirs, own = (getattr(library, name)(input_size, 0) for library in (torch.nn, ours))
    for given in (x, x[0], x[:0]):
        expected, result = (each if isinstance(each, tuple) else (each,) for each in (theirs(given), own(given)))
        assert [state.shape for state in result] == [state.shape for state in expected]
    result[0].sum().backward()
    assert x.grad is not None
    assert not x.grad.any()
    assert own.weight_ih.grad is not None
    assert own.weight_ih.grad.shape == theirs.weight_ih.shape


@pytest.mark.parametrize("name", LAYERS)
def test_the_signature_says_what_is_accepted(name):
    parameters = inspect.signature(getattr(ours, name).forward).parameters
    assert list(parameters)[1:3] == ["input", "hx"]
    assert list(parameters)[3:] == ["reset", "return_trace"]
