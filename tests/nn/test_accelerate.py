"""accelerate and restore: the same objects, numbers and names, another class; what cannot change stays as it is."""

import copy
import io
import itertools
import logging
import pickle
import warnings

import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_sequence

import recurra
from recurra.nn import Acceleration, acceleration
from recurra.nn.accelerated import Accelerated

from .support import CELLS, LAYERS, assert_same, gradients, ours, tensors

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

F, H, T, B = 5, 4, 6, 3
over_all = pytest.mark.parametrize("name", LAYERS + CELLS)
over_layers = pytest.mark.parametrize("name", LAYERS)


def make(name, seed=0, **kwargs):
    torch.manual_seed(seed)
    options = {"dtype": torch.float64, **({"num_layers": 2, "bidirectional": True} if name in LAYERS else {})}
    return getattr(nn, name)(F, H, **{**options, **kwargs})


def input_of(name, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(*((T, B) if name in LAYERS else (B,)), F, generator=generator, dtype=dtype)


def weight_of(name):
    return "weight_hh_l0" if name in LAYERS else "weight_hh"


def twins(name, **kwargs):
    """An accelerated module, and one that stays torch's, alike."""
    return recurra.accelerate(make(name, **kwargs)), make(name, **kwargs)


def assert_agree(module, reference, name):
    x = input_of(name, next(reference.parameters()).dtype)
    actual, expected = module(x), reference(x)
    assert_same(actual, expected)
    mine, other = dict(module.named_parameters()), dict(reference.named_parameters())
    assert list(mine) == list(other)
    found, wanted = gradients(actual, list(mine.values())), gradients(expected, list(other.values()))
    for key, gradient, wanted_gradient in zip(other, found, wanted, strict=True):
        assert_same(gradient, wanted_gradient, key)


def assert_replaced(module, *names):
    report = acceleration(module)
    assert [part.name for part in report.replaced] == list(names)
    assert not report.left


def reason_of(module):
    (part,) = acceleration(recurra.accelerate(module)).left
    assert not isinstance(part.module, Accelerated)
    return part.reason


# ---- what changes, and what does not ----


@over_all
def test_the_object_and_what_it_holds_stay(name):
    module, reference = make(name), make(name)
    before = dict(vars(module))
    parameters, shown, keys = list(module.parameters()), repr(module), list(module.state_dict())
    assert recurra.accelerate(module) is module
    assert isinstance(module, getattr(ours, name))
    assert isinstance(module, getattr(nn, name))
    assert all(a is b for a, b in zip(module.parameters(), parameters, strict=True))
    assert repr(module) == shown
    assert list(module.state_dict()) == keys
    assert_agree(module, reference, name)
    assert recurra.restore(module) is module
    assert type(module) is getattr(nn, name)
    assert vars(module).keys() == before.keys()
    assert all(vars(module)[key] is value for key, value in before.items() if not key.startswith("_flat_"))
    if name in LAYERS:
        assert all(a is b for a, b in zip(module._flat_weights, parameters, strict=True))
    assert_agree(module, reference, name)


@over_layers
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_configurations(name, bias, batch_first, bidirectional):
    special = {"LSTM": {"proj_size": 2}, "RNN": {"nonlinearity": "relu"}, "GRU": {}}[name]
    for layers, extra, dtype in itertools.product((1, 3), ({}, special), (torch.float32, torch.float64)):
        options = {"num_layers": layers, "bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        module, reference = twins(name, **options, **extra, dtype=dtype)
        assert isinstance(module, Accelerated)
        assert_agree(module, reference, name)
        packed = pack_sequence([input_of(name, dtype)[:n, 0] for n in (3, 6, 2)], enforce_sorted=False)
        assert_same(module(packed), reference(packed))
        assert_same(module(packed.data), reference(packed.data))


@pytest.mark.parametrize("name", CELLS)
def test_configurations_of_cells(name):
    special = {"nonlinearity": "relu"} if name == "RNNCell" else {}
    for bias, extra, dtype in itertools.product((True, False), ({}, special), (torch.float32, torch.float64)):
        module, reference = twins(name, bias=bias, **extra, dtype=dtype)
        assert isinstance(module, Accelerated)
        assert_agree(module, reference, name)
        x = input_of(name, dtype)
        assert_same(module(x, reference(x)), reference(x, reference(x)))


@over_layers
def test_dropout_under_a_seed(name):
    module, reference = twins(name, dropout=0.4, num_layers=3)
    x = input_of(name)
    torch.manual_seed(1)
    actual = module(x)
    torch.manual_seed(1)
    assert_same(actual, reference(x))
    assert_same(module.eval()(x), reference.eval()(x))


def test_chance_is_left_alone():
    model = nn.ModuleList(make(name) for name in LAYERS + CELLS)
    before = torch.get_rng_state()
    recurra.restore(recurra.accelerate(model))
    assert torch.equal(torch.get_rng_state(), before)


class Model(nn.Module):
    """A layer at two places, weights in common, a cell; torch.nn's and recurra's."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(F, H), nn.GRU(H, H))
        self.again = self.encoder[1]
        self.cells = nn.ModuleDict({"a": nn.LSTMCell(H, H), "b": nn.LSTMCell(H, H)})
        self.cells["b"].weight_hh = self.cells["a"].weight_hh
        self.own = recurra.nn.GRU(H, H)

    def forward(self, x):
        y, h = self.encoder(x)
        y, _ = self.own(self.again(y, h)[0])
        state = self.cells["a"](y[-1])
        return self.cells["b"](y[0], state)[0]


def test_a_tree():
    torch.manual_seed(0)
    model = Model()
    x = torch.randn(T, B, F)
    parameters = list(model.parameters())
    expected = model(x)
    wanted = gradients(expected, parameters)
    own = model.own
    recurra.accelerate(model)
    assert_replaced(model, "encoder.1", "cells.a", "cells.b")
    assert model.again is model.encoder[1]
    assert model.cells["a"].weight_hh is model.cells["b"].weight_hh
    assert_same(model(x), expected)
    assert_same(list(gradients(model(x), parameters)), list(wanted))
    recurra.restore(model)
    assert model.own is own
    assert type(own) is recurra.nn.GRU
    assert type(model.cells["a"]) is nn.LSTMCell
    assert torch.equal(model(x), expected) or torch.allclose(model(x), expected, atol=1e-6)


def test_twice_and_not_at_all():
    module = make("LSTM")
    recurra.restore(module)
    assert type(module) is nn.LSTM
    scans = recurra.accelerate(module)._scans
    assert recurra.accelerate(module)._scans is scans
    recurra.restore(recurra.restore(module))
    assert_agree(module, make("LSTM"), "LSTM")


def test_no_module():
    for function in (recurra.accelerate, recurra.restore, acceleration):
        with pytest.raises(TypeError, match=r"takes a torch.nn.Module, not list"):
            function([nn.LSTM(1, 1)])


# ---- the report ----


class Mine(nn.LSTM):
    """A user's."""


def test_the_report(caplog):
    model = nn.ModuleDict({"a": nn.LSTM(F, H), "b": Mine(F, H), "c": nn.GRUCell(F, H), "d": nn.Linear(F, H)})
    assert [part.reason for part in acceleration(model).left if part.name != "b"] == [
        "not yet given to recurra.accelerate, which replaces it"
    ] * 2
    with caplog.at_level(logging.INFO, "recurra"):
        recurra.accelerate(model)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"recurra runs 1 LSTM, 1 GRUCell of ModuleDict; left alone: b ({__name__}.Mine): a subclass of torch.nn.LSTM"
    )
    report = acceleration(model)
    assert isinstance(report, Acceleration)
    assert [(part.name, part.module) for part in report.replaced] == [("a", model["a"]), ("c", model["c"])]
    assert str(report).splitlines() == [
        "replaced a (LSTM)",
        "replaced c (GRUCell)",
        f"left alone b ({__name__}.Mine): a subclass of torch.nn.LSTM",
    ]


def test_the_report_on_a_root_and_on_nothing(caplog):
    with caplog.at_level(logging.INFO, "recurra"):
        assert str(acceleration(recurra.accelerate(nn.LSTM(F, H)))) == "replaced LSTM"
        assert str(acceleration(recurra.accelerate(nn.Linear(F, H)))) == "no recurrent modules of torch.nn's"
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.INFO, "recurra runs 1 LSTM of LSTM"),
        (logging.INFO, "recurra runs nothing of Linear"),
    ]


# ---- what is left alone ----


def with_attribute(name, value, kind="LSTM"):
    module = make(kind)
    setattr(module, name, value)
    return module


def with_old_hook():
    module = nn.LSTM(F, H)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.register_backward_hook(lambda *_: None)
    return module


class Own(nn.Parameter):
    """A user's."""


def with_own_parameter():
    module = nn.GRU(F, H)
    module.weight_hh_l0 = Own(module.weight_hh_l0.detach())
    return module


def lazy():
    module = nn.GRUCell(F, H)
    module.weight_ih = nn.UninitializedParameter()
    return module


def scripted(compile):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        return compile(nn.LSTM(F, H))


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so is torch.ao.quantization
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(F, H)), {nn.LSTM}, torch.qint8)


LEFT = {
    "a subclass": (lambda: Mine(F, H), "a subclass of torch.nn.LSTM"),
    "a subclass of a cell": (lambda: type("MyCell", (nn.GRUCell,), {})(F, H), "a subclass of torch.nn.GRUCell"),
    "another of RNNBase": (lambda: nn.RNNBase("LSTM", F, H), "not one of torch.nn's classes"),
    "scripted": (lambda: scripted(torch.jit.script), "compiled by torch.jit"),
    "traced": (lambda: scripted(lambda m: torch.jit.trace(m, torch.randn(T, B, F))), "compiled by torch.jit"),
    "quantised": (quantised, "not one of torch.nn's classes"),
    "forward": (lambda: with_attribute("forward", print), "its own forward stands in place of its class's"),
    "a check": (lambda: with_attribute("check_input", print), "its own check_input stands in place of its class's"),
    "an attribute": (lambda: with_attribute("cell", 1), "its attribute 'cell' has a name that recurra's class uses"),
    "a property": (
        lambda: with_attribute("output_size", 1),
        "its attribute 'output_size' has a name that recurra's class uses",
    ),
    "a submodule": (
        lambda: with_attribute("program", nn.Linear(1, 1)),
        "its attribute 'program' has a name that recurra's class uses",
    ),
    "an old hook": (with_old_hook, "what a hook of register_backward_hook sees depends on how torch computes"),
    "a parameter's class": (with_own_parameter, "weight_hh_l0 is a Own, which recurra's kernels do not read"),
    "lazy": (lazy, "weight_ih has no values yet"),
    "bfloat16": (
        lambda: nn.GRU(F, H, dtype=torch.bfloat16),
        "weight_ih_l0 is torch.bfloat16; recurra's kernels compute in float32 and float64",
    ),
    "nonlinearity": (lambda: nn.RNNCell(F, H, nonlinearity="swish"), "nonlinearity must be 'tanh' or 'relu'"),
    "mode": (lambda: with_attribute("mode", "RNN_RELU", "RNN"), "its mode does not fit its configuration"),
    "proj_size": (lambda: with_attribute("proj_size", 2, "GRU"), "GRU has no proj_size; here it is 2"),
}


@pytest.mark.parametrize(("build", "reason"), LEFT.values(), ids=LEFT)
def test_left_alone(build, reason):
    module = build()
    kinds = [type(part) for part in module.modules()]
    assert reason in reason_of(module)
    assert [type(part) for part in recurra.restore(module).modules()] == kinds


def test_harmless_attributes_of_an_instance():
    module = make("LSTM")
    module.flatten_parameters = lambda: None
    module.name, module.state_dict = "mine", module.state_dict
    recurra.accelerate(module)
    assert_replaced(module, "")
    assert_agree(module, make("LSTM"), "LSTM")
    assert module.name == "mine"


# ---- optimisers, hooks, weights that others make ----


@over_all
def test_an_optimiser_goes_on(name):
    module, reference = make(name), make(name)
    optimizers = [torch.optim.Adam(part.parameters(), 0.05) for part in (module, reference)]
    for step in range(6):
        if step == 2:
            recurra.accelerate(module)
        if step == 4:
            recurra.restore(module)
        for part, optimizer in zip((module, reference), optimizers, strict=True):
            optimizer.zero_grad()
            tensors(part(input_of(name)))[0].square().mean().backward()
            optimizer.step()
    assert_same(list(module.state_dict().values()), list(reference.state_dict().values()))


@over_all
def test_hooks(name):
    calls = []
    module = make(name)

    def note(kind):
        return lambda _module, *arguments: calls.append((kind, [t.detach().clone() for t in tensors(arguments)]))

    module.register_forward_pre_hook(note("before"))
    module.register_forward_hook(note("after"))
    module.register_forward_hook(lambda _m, _args, kwargs, _out: calls.append(("named", [*kwargs])), with_kwargs=True)
    module.register_full_backward_pre_hook(note("backward"))
    module.register_full_backward_hook(note("gradients"))
    module.register_state_dict_post_hook(lambda *_: calls.append(("state_dict", [])))
    module.register_load_state_dict_pre_hook(lambda *_: calls.append(("load_state_dict", [])))

    def seen():
        calls.clear()
        x = input_of(name).requires_grad_()
        first = tensors(module(x))[0]
        first.square().sum().backward()
        assert_same(tensors(module(input=x, hx=None))[0], first)
        module.load_state_dict(module.state_dict())
        return list(calls)

    expected = seen()
    recurra.accelerate(module)
    assert_replaced(module, "")
    found = seen()
    assert [kind for kind, _ in found] == [kind for kind, _ in expected]
    for (kind, values), (_, wanted) in zip(found, expected, strict=True):
        if kind == "named":
            assert values == wanted
        else:
            assert_same(values, wanted, kind)


class Half(nn.Module):
    def forward(self, weight):
        return weight / 2


WRAPS = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "own": lambda module, name: parametrize.register_parametrization(module, name, Half()),
}


@over_all
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("first", ["accelerate", "wrap"])
def test_parametrisations(name, wrap, first):
    module, reference = make(name), make(name)
    weight = weight_of(name)
    torch.manual_seed(3)
    wrap(reference, weight)
    if first == "accelerate":
        recurra.accelerate(module)
    torch.manual_seed(3)
    wrap(module, weight)
    recurra.accelerate(module)
    for each in (module, reference):
        each.eval()
    assert isinstance(module, getattr(ours, name))
    assert type(module).__name__ == type(reference).__name__
    assert_replaced(module, "")
    assert_agree(module, reference, name)
    twin = copy.deepcopy(module)
    assert isinstance(twin, Accelerated)
    assert_agree(twin, reference, name)
    recurra.restore(module)
    assert type(module).__bases__ == (getattr(nn, name),)
    assert_agree(module, reference, name)
    recurra.accelerate(module)
    parametrize.remove_parametrizations(module, weight)
    parametrize.remove_parametrizations(reference, weight)
    assert_agree(module, reference, name)
    recurra.restore(module)
    assert type(module) is getattr(nn, name)
    assert_agree(module, reference, name)


def test_spectral_norm_takes_no_step_by_itself():
    """In training mode reading the weight moves the power iteration on: neither function may read it."""
    module = make("LSTM")
    parametrizations.spectral_norm(module, "weight_hh_l0")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    recurra.accelerate(module)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@over_all
def test_pruning(name):
    module, reference = make(name), make(name)
    for part in (module, reference):
        prune.l1_unstructured(part, weight_of(name), amount=0.5)
    recurra.accelerate(module)
    assert_agree(module, reference, name)
    for part in (module, reference):
        prune.remove(part, weight_of(name))
    assert_agree(module, reference, name)


@over_all
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weight_norm_of_the_old_kind(name):
    module, reference = make(name), make(name)
    for part in (module, reference):
        nn.utils.weight_norm(part, weight_of(name))
    recurra.accelerate(module)
    assert_replaced(module, "")
    for _ in range(2):
        assert_agree(module, reference, name)
        with torch.no_grad():
            for part in (module, reference):
                getattr(part, weight_of(name) + "_g").mul_(0.5)
    recurra.restore(module)
    assert_agree(module, reference, name)


class WeightDrop(nn.Module):
    """A weight is taken out of the parameters; a dropped version of it is set before each call (Merity et al. 2017)."""

    def __init__(self, module, weight):
        super().__init__()
        self.module, self.weight = module, weight
        self.raw = nn.Parameter(getattr(module, weight).detach())
        del module._parameters[weight]

    def forward(self, x):
        setattr(self.module, self.weight, nn.functional.dropout(self.raw, 0.5, self.training))
        return self.module(x)


@over_all
def test_weight_drop(name):
    module, reference = (WeightDrop(make(name), weight_of(name)) for _ in range(2))
    recurra.accelerate(module)
    assert_replaced(module, "module")
    for seed in range(2):
        results = []
        for part in (module, reference):
            torch.manual_seed(seed)
            results.append(part(input_of(name)))
        assert_same(*results)
        (mine,), (other,) = (
            gradients(result, [part.raw]) for result, part in zip(results, (module, reference), strict=True)
        )
        assert_same(mine, other)
    recurra.restore(module)
    assert_agree(module.eval(), reference.eval(), name)


@over_all
def test_weights_from_elsewhere(name):
    module, reference = twins(name)
    other = {key: value + 0.1 for key, value in reference.state_dict().items()}
    x = input_of(name)
    assert_same(torch.func.functional_call(module, other, (x,)), torch.func.functional_call(reference, other, (x,)))
    for assign in (False, True):
        other = {key: value * 0.7 for key, value in other.items()}
        for part in (module, reference):
            assert not any(part.load_state_dict(other, assign=assign))
        assert_agree(module, reference, name)


# ---- copies, moves, numbers of other kinds ----


def through_a_file(module):
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m)), "file": through_a_file}


@over_all
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies(name, duplicate):
    model = nn.Sequential(make(name))
    model(input_of(name))
    recurra.accelerate(model)
    model(input_of(name))
    twin = duplicate(model)
    assert isinstance(twin[0], Accelerated)
    assert not {id(p) for p in model.parameters()} & {id(p) for p in twin.parameters()}
    reference = nn.Sequential(make(name))
    assert_agree(twin, reference, name)
    recurra.restore(twin)
    assert isinstance(model[0], Accelerated)
    assert type(twin[0]) is getattr(nn, name)
    assert_agree(twin, reference, name)
    assert_agree(duplicate(twin), reference, name)


@over_all
def test_a_shallow_copy_shares_the_weights(name):
    module = recurra.accelerate(make(name))
    twin = copy.copy(module)
    assert all(a is b for a, b in zip(module.parameters(), twin.parameters(), strict=True))
    assert_agree(twin, make(name), name)


@over_all
def test_to_another_dtype(name):
    module, reference = twins(name)
    assert module.to(torch.float32) is module
    assert_agree(module, reference.to(torch.float32), name)
    assert_agree(module.double(), reference.double(), name)


@over_all
def test_half_precision_is_torch_s(name):
    """Computed as before, to the bit; and recurra's again, once the weights are of its dtypes."""
    module, reference = twins(name)
    x = input_of(name, torch.bfloat16)
    for mine, other in zip(tensors(module.bfloat16()(x)), tensors(reference.bfloat16()(x)), strict=True):
        assert torch.equal(mine, other)
    assert "recurra's kernels compute in float32 and float64" in acceleration(module).left[0].reason
    assert_agree(module.float(), reference.float(), name)
    assert_replaced(module, "")


@over_all
def test_autocast_is_torch_s(name):
    module, reference = twins(name, dtype=torch.float32)
    x = input_of(name, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        for mine, other in zip(tensors(module(x)), tensors(reference(x)), strict=True):
            assert mine.dtype == other.dtype
            assert torch.equal(mine, other)


@over_all
def test_other_devices_are_torch_s(name):
    """The meta device stands for all that is not a CPU."""
    module, reference = twins(name)
    x = input_of(name).to("meta")
    actual, expected = (tensors(part.to("meta")(x)) for part in (module, reference))
    assert [value.shape for value in actual] == [value.shape for value in expected]
    assert all(value.is_meta for value in actual)
    module.to_empty(device="cpu").load_state_dict(make(name).state_dict())
    assert_agree(module, make(name), name)


@over_all
def test_a_model_without_weights_yet(name):
    with torch.device("meta"):
        module = recurra.accelerate(make(name))
    assert_replaced(module, "")
    module.load_state_dict(make(name).state_dict(), assign=True)
    assert_agree(module, make(name), name)


def test_flatten_parameters_as_models_call_it():
    module = recurra.accelerate(make("LSTM"))
    assert module.flatten_parameters() is None
    assert [w is p for w, p in zip(module._flat_weights, module.parameters(), strict=True)] == [True] * 16


def test_beyond_torch():
    """What recurra's layers have more is there as well."""
    module = recurra.accelerate(make("LSTM", num_layers=1, bidirectional=False))
    x = input_of("LSTM")
    _, _, trace = module(x, return_trace=True)
    assert trace["f", 0, 0].shape == (T, B, H)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    assert_same(module(x, reset=reset)[0][3:], module(x[3:])[0])
    with recurra.frozen(nn.Sequential(module)), torch.no_grad():
        frozen = module(x)
    assert_same(frozen, module(x))
    assert "sigmoid" in str(recurra.explain(module))


def test_restored_inside_of_frozen():
    module = recurra.accelerate(make("GRU"))
    with recurra.frozen(module), torch.no_grad():
        module(input_of("GRU"))
        recurra.restore(module)
    assert_agree(module, make("GRU"), "GRU")


@over_all
def test_saved_as_recurra_s(name, tmp_path):
    module = recurra.accelerate(make(name, **({"dropout": 0.5} if name in LAYERS else {}))).eval()
    recurra.save(module, tmp_path / "model.safetensors")
    loaded = recurra.load(tmp_path / "model.safetensors")
    assert type(loaded) is getattr(ours, name)
    assert repr(loaded) == repr(module)
    assert_same(loaded(input_of(name)), module(input_of(name)))


# ---- compilers and processes ----


@pytest.fixture
def _compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Pair(nn.Module):
    """A layer and a cell between other modules."""

    def __init__(self):
        super().__init__()
        self.first, self.layer, self.cell = nn.Linear(F, H), nn.LSTM(H, H, num_layers=2), nn.GRUCell(H, H)

    def forward(self, x):
        y, _ = self.layer(self.first(x).relu())
        return self.cell(y[-1]).sigmoid()


# torch hides this warning of its compiler's by itself, but not from those who make errors of warnings.
compiles = [
    pytest.mark.usefixtures("_compiler"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]


def with_marks(marks):
    def mark(function):
        for each in marks:
            function = each(function)
        return function

    return mark


@with_marks(compiles)
@pytest.mark.parametrize("whole", [False, True], ids=["in pieces", "whole"])
@pytest.mark.parametrize("order", ["accelerate", "compile"])
def test_compile(whole, order):
    """As torch.nn's layers these stay out of graphs; with allow_rnn they go in, as torch's own code."""
    torch.manual_seed(0)
    model, x = Pair(), torch.randn(T, B, F)
    parameters, expected = list(model.parameters()), model(x)
    wanted = gradients(expected, parameters)
    with torch._dynamo.config.patch(allow_rnn=whole):
        if order == "accelerate":
            recurra.accelerate(model)
        compiled = torch.compile(model, backend="aot_eager", fullgraph=whole)
        if order == "compile":
            assert_same(compiled(x), expected)
            recurra.accelerate(model)
        for _ in range(2):
            actual = compiled(x)
            assert_same(actual, expected)
            assert_same(list(gradients(actual, parameters)), list(wanted))
            with torch.no_grad():
                assert_same(compiled(x), expected.detach())
        assert_replaced(compiled, "_orig_mod.layer", "_orig_mod.cell")
        recurra.restore(compiled)
        assert_same(compiled(x), expected)


@with_marks(compiles)
def test_no_pieces_of_recurra_are_compiled():
    graphs = []

    def keep(graph, _inputs):
        graphs.append(str(graph.graph))
        return graph.forward

    model = recurra.accelerate(nn.Sequential(nn.LSTM(F, H)))
    torch.compile(model, backend=keep)(torch.randn(T, B, F))[0].sum().backward()
    assert not graphs


@with_marks(compiles)
def test_a_module_compiled_in_place():
    model, x = Pair(), torch.randn(T, B, F)
    expected = model(x)
    model.layer.compile(backend="aot_eager")
    recurra.accelerate(model).compile(backend="aot_eager")
    assert_same(model(x), expected)


@pytest.mark.filterwarnings("ignore:The tensor attributes self.layer._flat_weights")  # of torch.nn's own LSTM
@pytest.mark.parametrize("strict", [False, True])
def test_exported_as_before(strict):
    """The exported program has torch's operators, and runs where recurra is not."""
    reference, x = Pair(), torch.randn(T, B, F)
    model = recurra.accelerate(copy.deepcopy(reference))
    program, expected = (torch.export.export(each, (x,), strict=strict) for each in (model, reference))
    assert [node.target for node in program.graph.nodes] == [node.target for node in expected.graph.nodes]
    assert_same(program.module()(x), model(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_traced_as_before():
    """torch.jit.trace sees torch's operators, for any length."""
    model = recurra.accelerate(Pair())
    traced = torch.jit.trace(model, torch.randn(T, B, F))
    assert "aten::lstm" in str(traced.inlined_graph)
    longer = torch.randn(T + 3, B, F)
    assert_same(traced(longer), model(longer))


def test_symbolically_traced_as_before():
    model, x = recurra.accelerate(Pair()), torch.randn(T, B, F)
    traced = torch.fx.symbolic_trace(model)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["first", "layer", "cell"]
    assert traced.layer is model.layer
    assert_same(traced(x), model(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripting_restores():
    model, x = recurra.accelerate(Pair()), torch.randn(T, B, F)
    layer, expected = model.layer, model(x)
    assert_same(torch.jit.script(model)(x), expected)
    assert model.layer is layer
    assert type(layer) is nn.LSTM
    assert_same(recurra.accelerate(model)(x), expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_distributed_data_parallel(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        model, x = Pair(), torch.randn(T, B, F)
        expected = gradients(model(x), list(model.parameters()))
        parallel = recurra.accelerate(nn.parallel.DistributedDataParallel(model))
        assert_replaced(parallel, "module.layer", "module.cell")
        assert_same(list(gradients(parallel(x), list(model.parameters()))), list(expected))
        parallel(x).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
    finally:
        torch.distributed.destroy_process_group()


class Noise(nn.Module):
    """A parametrisation that draws numbers."""

    def forward(self, weight):
        return weight + torch.randn_like(weight)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("names", [["weight_hh_l0"], ["weight_ih_l0", "bias_hh_l1"], ["bias_ih_l0", "weight_hh_l1"]])
def test_parametrisations_are_asked_as_often_as_by_torch(kind, names):
    theirs = getattr(nn, kind)(4, 5, 2)
    for name in names:
        parametrize.register_parametrization(theirs, name, Noise())
    ours, x = recurra.accelerate(copy.deepcopy(theirs)), torch.randn(7, 3, 4)
    for seed in (0, 1):
        torch.manual_seed(seed)
        expected = theirs(x)[0]
        torch.manual_seed(seed)
        torch.testing.assert_close(ours(x)[0], expected)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_state_of_a_parametrisation_goes_the_same_way(kind):
    theirs = parametrizations.spectral_norm(getattr(nn, kind)(4, 5).double(), "weight_hh_l0")
    ours, x = recurra.accelerate(copy.deepcopy(theirs)), torch.randn(7, 3, 4).double()
    for training in (True, True, False):
        theirs.train(training)
        ours.train(training)
        torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=0, atol=1e-10)
    for (name, a), b in zip(theirs.named_buffers(), ours.buffers(), strict=True):
        torch.testing.assert_close(b, a, rtol=0, atol=0, msg=name)


@pytest.mark.filterwarnings("ignore")  # of torch's exporter, which is the old one
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_alone_is_exported_as_by_torch(kind, tmp_path):
    layer, x = recurra.accelerate(getattr(nn, kind)(4, 5)).eval(), torch.randn(7, 3, 4)
    torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=False)
    session = onnxruntime.InferenceSession(tmp_path / "layer.onnx", providers=["CPUExecutionProvider"])
    output = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(output), layer(x)[0].detach(), rtol=0, atol=1e-5)


def test_weights_of_two_dtypes_are_left_to_torch():
    layer = nn.LSTM(3, 4, 2)
    layer.weight_hh_l1.data = layer.weight_hh_l1.data.double()
    report = acceleration(recurra.accelerate(layer))
    assert not report.replaced
    assert "differ in dtype" in report.left[0].reason
