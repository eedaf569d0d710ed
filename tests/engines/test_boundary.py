"""Nothing but ``engines/protocol.py`` is asked of an engine: a toy engine runs both passes of all cells."""

import re
from pathlib import Path

import pytest
import torch

import recurra
from recurra.engines import ENGINES
from recurra.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RNNCell, pack_sequence
from tests.cells.representatives import CELLS, EVEN
from tests.engines.native.layers import gradients, inputs_of, layer_of, run
from tests.engines.toy import ToyEngine

SOURCE = Path(recurra.__file__).parent
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    engine = ToyEngine()
    monkeypatch.setitem(ENGINES, "toy", engine)
    return engine


def both(compute):
    """Results of the toy engine and of the reference engine."""
    found = []
    for name in ("toy", "reference"):
        with recurra.engine(name):
            found.append(compute())
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, **CLOSE)


def test_the_toy_is_small():
    assert len((Path(__file__).parent / "toy.py").read_text().splitlines()) <= 70


def test_no_engine_is_named_outside_of_engines():
    classes = [type(engine).__name__.removesuffix("Engine") for engine in ENGINES.values()]
    assert {"Native", "Reference", "Vendor"} <= set(classes)
    pattern = rf"\b(?:{'|'.join(classes)})(?:Engine|Kernel)\b"
    for path in SOURCE.rglob("*.py"):
        if (SOURCE / "engines") not in path.parents:
            assert not re.findall(pattern, path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_forward_and_backward(name):
    layer = layer_of(name, 6, 6 if name in EVEN else 5, torch.float64)
    x, states = inputs_of(layer, 4, 3)

    def compute():
        values = run(layer, x, states)
        return [*values, *gradients(values, [x, *states, *layer.parameters()])]

    both(compute)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_every_way_that_sequences_can_lie(kind, checkpoint):
    layer = kind(3, 4, 2, bidirectional=True, checkpoint=checkpoint, dtype=torch.float64)
    rows = [torch.randn(length, 3, dtype=torch.float64, requires_grad=True) for length in (2, 5, 1, 4)]
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    reset = torch.rand(5, 2) < 0.3

    def of(values, leaves):
        return [*values, *torch.autograd.grad(sum(v.sin().sum() for v in values), leaves)]

    def compute():
        weights = list(layer.parameters())
        packed = layer(pack_sequence(rows, enforce_sorted=False))[0].data
        *_, trace = layer(x, return_trace=True)
        first = layer(x.new_zeros(3, 0, 3).requires_grad_())[0]
        return [
            *of([packed], [*rows, *weights]),
            *of([layer(x)[0]], [x, *weights]),
            *of([layer(x, reset=reset)[0]], [x, *weights]),
            *of(list(trace.values()), [x, *weights]),
            first,
        ]

    both(compute)


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell, RNNCell])
def test_single_steps(kind):
    module, x = kind(3, 4, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def compute():
        result = module(x)
        value = result[0] if isinstance(result, tuple) else result
        return [value, *torch.autograd.grad(value.sin().sum(), [x, *module.parameters()])]

    both(compute)


def test_gradients_of_gradients_and_transforms_run_on_the_reference_engine():
    layer, x = GRU(3, 4, dtype=torch.float64), torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)

    def compute():
        (slope,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
        many = torch.func.vmap(lambda one: layer(one)[0])(torch.stack([x.detach(), 2 * x.detach()]))
        return [slope, *torch.autograd.grad(slope.square().sum(), x), many]

    both(compute)


def test_the_engine_itself_ran_and_once_each(toy):
    layer, x = Recurrent(recurra.cells.mgu, 3, 4), torch.randn(5, 2, 3, requires_grad=True)
    with recurra.engine("toy"):
        layer(x)[0].sum().backward()
        (kernel,) = [toy.build(scan.spec().plan) for scan in layer._scans]
    assert kernel.passes_run == ["forward", "backward"]


@pytest.mark.parametrize("checkpoint", [None, 2])
def test_a_compiled_layer_too(toy, checkpoint):
    layer, x = GRU(3, 4, checkpoint=checkpoint), torch.randn(5, 2, 3, requires_grad=True)
    expected = torch.autograd.grad(layer(x)[0].sin().sum(), [x, *layer.parameters()])
    with recurra.engine("toy"):
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        found = torch.autograd.grad(compiled(x)[0].sin().sum(), [x, *layer.parameters()])
        (kernel,) = [toy.build(scan.spec().plan) for scan in layer._scans]
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    if checkpoint is None:
        assert kernel.passes_run == ["forward", "backward"]
