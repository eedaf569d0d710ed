"""torch's fused layers as an engine: the reference engine's numbers for each program that is such a layer."""

import copy
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.backends.cudnn.rnn as cudnn_rnn
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import recurra
from recurra import cells, relu
from recurra.compiler import drop_biases, plan, trace
from recurra.engines import ENGINES, Call, ScanSpec, Wishes, reference
from recurra.engines.vendor import flatten as flattening
from recurra.program import Sizes
from tests.cells.known_cells import KINDS, compiled, known_source

ENGINE = ENGINES["torch"]
SIZES = Sizes(3, 4, 2)
CLOSE = {"rtol": 0.0, "atol": 1e-10}

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

ways = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([*KINDS, "LSTM projected"]),
        "seed": st.integers(0, 2**32),
        "biased": st.booleans(),
        "steps": st.integers(1, 5),
        "lengths": st.lists(st.integers(0, 5), max_size=4),
        "packed": st.booleans(),
        "reverse": st.booleans(),
    }
)


def call_of(way):
    """A random program and a random call of it, float64, in numpy."""
    kind, projected = way["kind"].split()[0], "projected" in way["kind"]
    program = trace(compiled(known_source(kind, way["seed"])), projected=projected)
    if not way["biased"]:
        program = drop_biases(program)
    numbers = np.random.default_rng(way["seed"])

    def array(shape, *leading):
        return numbers.uniform(-1, 1, (*leading, *(size.value(SIZES) for size in shape)))

    steps, lengths = way["steps"], sorted(way["lengths"], reverse=True)
    if way["packed"]:
        lengths = [steps, *(min(length, steps) for length in lengths)]
    batch_sizes = [sum(length > t for length in lengths) for t in range(steps)]
    leading = (sum(batch_sizes),) if way["packed"] else (steps, len(lengths))
    call = Call(
        x=array(program.input.shape, *leading),
        batch_sizes=batch_sizes if way["packed"] else None,
        states=[array(state.shape, len(lengths)) for state in program.states],
        parameters=[array(parameter.shape) for parameter in program.parameters],
        sizes=SIZES,
        reverse=way["reverse"],
    )
    return plan(program), call


def in_torch(call):
    def leaf(array):
        return torch.from_numpy(array).requires_grad_()

    return replace(
        call,
        x=leaf(call.x),
        batch_sizes=None if call.batch_sizes is None else torch.tensor(call.batch_sizes, dtype=torch.int64),
        states=[leaf(state) for state in call.states],
        parameters=[leaf(parameter) for parameter in call.parameters],
    )


@settings(max_examples=80)
@given(ways)
def test_forward_as_the_reference_engine(way):
    scheduled, call = call_of(way)
    kernel = ENGINE.build(scheduled)
    expected = reference().build(scheduled).forward(call)
    packed = kernel.pack(call.parameters, SIZES, "float64")
    for run in (call, replace(call, packed=packed)):
        result = kernel.forward(run)
        for mine, other in zip((result.output, *result.states), (expected.output, *expected.states), strict=True):
            assert type(mine) is np.ndarray
            np.testing.assert_allclose(mine, other, **CLOSE)


@settings(max_examples=60)
@given(ways)
def test_gradients_as_the_reference_engines(way):
    scheduled, call = call_of(way)
    call = in_torch(call)
    inputs = [call.x, *call.states, *call.parameters]
    numbers = torch.Generator().manual_seed(0)
    found, arriving = [], []
    for engine in (ENGINE, reference()):
        result = engine.build(scheduled).forward(call)
        values = (result.output, *result.states)
        arriving = arriving or [torch.randn(v.shape, generator=numbers, dtype=v.dtype) for v in values]
        loss = sum((value * weight).sum() for value, weight in zip(values, arriving, strict=True))
        found.append(torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True))
    wishes = Wishes(tuple(number % 3 != 1 for number in range(len(inputs))))
    again = ENGINE.build(scheduled).backward(call, result, wishes, arriving[:1], arriving[1:])
    for mine, other, derived, is_wanted in zip(*found, again, wishes.wanted, strict=True):
        torch.testing.assert_close(mine, other, **CLOSE)
        assert is_wanted == (derived is not None)
        if is_wanted:
            torch.testing.assert_close(derived, other, **CLOSE)


def test_a_backward_pass_without_gradients_gives_zeros():
    scheduled, call = call_of(
        {"kind": "GRU", "seed": 1, "biased": True, "steps": 3, "lengths": [3, 3], "packed": False, "reverse": False}
    )
    kernel = ENGINE.build(scheduled)
    wishes = Wishes((True,) * (2 + len(call.parameters)))
    found = kernel.backward(call, kernel.forward(call), wishes, [None], [None])
    assert all(type(gradient) is np.ndarray and not gradient.any() for gradient in found)
    assert kernel.kept_shapes((3, 2), SIZES, wishes) == []


STACKS = [
    ("LSTM", "lstm", {}),
    ("LSTM", "lstm", {"proj_size": 2}),
    ("GRU", "gru", {}),
    ("RNN", "rnn", {}),
    ("RNN", "rnn", {"nonlinearity": "relu"}),
]


def stack_of(name, cell, options, layers, directions, bias=True):
    """A module of torch, and the engine's call of all of its layers."""
    module = getattr(nn, name)(3, 4, layers, bias=bias, bidirectional=directions == 2, **options, dtype=torch.float64)
    chosen = {"nonlinearity": relu} if "nonlinearity" in options else {}
    program = trace(getattr(cells, cell), chosen, projected="proj_size" in options)
    scheduled = plan(program if bias else drop_biases(program))
    width = directions * options.get("proj_size", 4)
    scans = [
        ScanSpec(scheduled, Sizes(3 if layer == 0 else width, 4, 2), reverse)
        for layer in range(layers)
        for reverse in (False, True)[:directions]
    ]
    return module, scans, ENGINE.layers(scans, directions)


@pytest.mark.parametrize(("name", "cell", "options"), STACKS, ids=str)
@pytest.mark.parametrize(("layers", "directions", "bias"), [(1, 1, True), (1, 2, False), (3, 1, False), (2, 2, True)])
@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
def test_whole_stacks_are_torchs_to_the_bit(name, cell, options, layers, directions, bias, packed):
    module, _, run = stack_of(name, cell, options, layers, directions, bias)
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    x = nn.utils.rnn.pack_padded_sequence(x, [5, 3, 1]) if packed else x
    sizes = [module.proj_size or 4, 4] if name == "LSTM" else [4]
    states = [torch.randn(layers * directions, 3, size, dtype=torch.float64) for size in sizes]
    expected, last = module(x, tuple(states) if len(states) > 1 else states[0])
    data, batch_sizes = (x.data, x.batch_sizes) if packed else (x, None)
    output, found = run(data, batch_sizes, states, module.all_weights, 0.0)
    assert torch.equal(output, expected.data)
    for mine, other in zip(found, last if len(states) > 1 else (last,), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(("name", "cell", "options"), STACKS, ids=str)
def test_dropout_is_torchs(name, cell, options):
    module, _, run = stack_of(name, cell, options, 3, 2)
    module.dropout, x = 0.4, torch.randn(5, 3, 3, dtype=torch.float64)
    states = [
        torch.zeros(6, 3, size, dtype=torch.float64) for size in ([module.proj_size or 4, 4] if name == "LSTM" else [4])
    ]
    torch.manual_seed(3)
    expected, _ = module(x)
    torch.manual_seed(3)
    output, _ = run(x, None, states, module.all_weights, 0.4)
    assert torch.equal(output, expected)
    assert not torch.equal(output, run(x, None, states, module.all_weights, 0.0)[0])


def test_sequences_without_steps_keep_their_states_in_stacks():
    module, _, run = stack_of("LSTM", "lstm", {}, 2, 2)
    states = [torch.randn(4, 5, 4, dtype=torch.float64) for _ in range(2)]
    x = torch.randn(4, 3, dtype=torch.float64)
    output, found = run(x, torch.tensor([3, 1]), states, module.all_weights, 0.0)
    assert output.shape == (4, 8)
    for mine, first in zip(found, states, strict=True):
        assert torch.equal(mine[:, 3:], first[:, 3:])
        assert not torch.equal(mine[:, :3], first[:, :3])
    for empty, batch_sizes in ((x[:0], torch.tensor([], dtype=torch.int64)), (torch.zeros(0, 5, 3).double(), None)):
        output, found = run(empty, batch_sizes, states, module.all_weights, 0.0)
        assert output.shape == (*empty.shape[:-1], 8)
        assert all(map(torch.equal, found, states))


def test_other_modules_are_no_stack():
    _, scans, _ = stack_of("GRU", "gru", {}, 2, 2)
    simple = plan(trace(cells.rnn))
    assert ENGINE.layers(scans[:3], 2) is not None
    assert ENGINE.layers([*scans[:3], replace(scans[3], plan=simple)], 2) is None
    assert ENGINE.layers([*scans[:3], replace(scans[3], plan=plan(trace(cells.mgu)))], 2) is None
    assert ENGINE.layers([*scans[:3], replace(scans[3], reverse=False)], 2) is None
    assert ENGINE.layers([*scans[:3], replace(scans[3], sizes=SIZES._replace(input=7))], 2) is None
    assert ENGINE.layers([replace(scan, plan=plan(trace(cells.gru), traced=True)) for scan in scans], 2) is None


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.rnn], ids=lambda cell: cell.name)
def test_weights_in_torchs_layout_are_not_copied(cell):
    scheduled = plan(trace(cell))
    shapes = ScanSpec(scheduled, SIZES).parameter_shapes
    parameters = [torch.randn(shape) for shape in shapes]
    weights = ENGINE.build(scheduled).weights(parameters, SIZES)
    assert all(mine is other for mine, other in zip(weights, parameters, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.rnn], ids=lambda cell: cell.name)
def test_half_precision_is_left_to_torch(cell, dtype):
    name = str(dtype).removeprefix("torch.")
    assert ENGINE.computes_in(name) == name
    scheduled = plan(trace(cell))
    spec = ScanSpec(scheduled, SIZES)
    x, *parameters = (torch.randn(shape) for shape in [(5, 2, 3), *spec.parameter_shapes])
    states = [torch.randn(2, size) for size in spec.state_sizes]
    call = Call(x, None, states, parameters, SIZES)
    narrow = Call(x.to(dtype), None, [s.to(dtype) for s in states], [p.to(dtype) for p in parameters], SIZES)
    result, expected = ENGINE.build(scheduled).forward(narrow), reference().build(scheduled).forward(call)
    assert result.output.dtype == dtype
    torch.testing.assert_close(result.output.float(), expected.output, rtol=0, atol=0.05)


def test_what_is_refused():
    known = plan(trace(cells.gru))
    assert ENGINE.refuses() is None
    for dtype in ("float32", "float64", "bfloat16", "float16"):
        for device in ("cpu", "cuda", "xpu", "mps", "meta"):
            assert ENGINE.refuses(known, dtype, device) is None
    assert "equations" in ENGINE.refuses(plan(trace(cells.mgu)))
    assert "variables" in ENGINE.refuses(plan(trace(cells.gru), traced=True))
    assert "complex64" not in (ENGINE.refuses(known, "complex64") or "complex64")
    projected = plan(trace(cells.lstm, projected=True))
    assert ENGINE.refuses(projected, "float32", "cuda") is None
    assert "mps" in ENGINE.refuses(projected, "float32", "mps")
    call = Call(np.zeros((1, 1, 3)), None, [np.zeros((1, 4))], [], SIZES, reset=np.zeros((1, 1), bool))
    with pytest.raises(recurra.EngineError, match="reset"):
        ENGINE.build(known).forward(call)


def test_without_torch_it_says_so():
    code = "import sys; sys.modules['torch'] = None\nimport recurra; print(recurra.engines.ENGINES['torch'].refuses())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "torch is not installed"


def test_meta_tensors():
    scheduled = plan(trace(cells.lstm))
    spec = ScanSpec(scheduled, SIZES)
    x, *rest = (torch.empty(shape, device="meta") for shape in [(5, 2, 3), (2, 4), (2, 4), *spec.parameter_shapes])
    result = ENGINE.build(scheduled).forward(Call(x, None, rest[:2], rest[2:], SIZES))
    assert result.output.shape == (5, 2, 4)
    assert result.output.device.type == "meta"


@pytest.mark.parametrize(("name", "cell", "options"), STACKS, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_cudnn_is_given_the_weights_as_torch_gives_them(monkeypatch, name, cell, options, bias):
    """The arguments that torch would get on a GPU are checked, as there is no GPU here."""
    module, scans, _ = stack_of(name, cell, options, 2, 2, bias)
    given = []
    monkeypatch.setattr(flattening, "_suits", lambda parameter, first: True)
    monkeypatch.setattr(torch, "_use_cudnn_rnn_flatten_weight", lambda: True)
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", lambda *arguments: given.append(arguments), raising=False)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    monkeypatch.setattr(cudnn_rnn, "get_cudnn_mode", lambda mode: mode)
    flattening.flatten(scans, 2, list(module.parameters()))
    [(weights, count, *rest)] = given
    assert all(mine is other for mine, other in zip(weights, module._flat_weights, strict=True))
    assert count == (4 if bias else 2) + ("proj_size" in options)
    assert rest == [3, module.mode, 4, module.proj_size, 2, False, True]

    tied = copy.copy(list(module.parameters()))
    tied[1] = tied[0]
    flattening.flatten(scans, 2, tied)
    assert len(given) == 1


def test_parameters_on_the_cpu_stay_where_they_are():
    module, scans, _ = stack_of("LSTM", "lstm", {}, 2, 2)
    places = [parameter.data_ptr() for parameter in module.parameters()]
    ENGINE.flatten(scans, 2, list(module.parameters()))
    assert places == [parameter.data_ptr() for parameter in module.parameters()]
