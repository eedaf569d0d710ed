"""The triton engine in Triton's interpreter; ``test_engine.py`` runs this file in a process of its own.

``TRITON_INTERPRET=1 python -m pytest tests/engines/triton/in_interpreter.py`` runs it by hand.
"""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import recurra
from recurra.compiler import plan, trace
from recurra.engines import Call, Wishes, choose, reasons
from recurra.engines.reference import ReferenceKernel
from recurra.engines.triton import checked, source, step_loop, ways
from recurra.engines.triton.checked import CheckedKernel, WidenedKernel, difference
from recurra.engines.triton.kernel import TritonKernel
from recurra.engines.triton.step_loop import StepLoop
from recurra.nn import Recurrent
from recurra.program import Sizes
from tests.engines.triton import zoo
from tests.engines.triton.cases import TritonCase
from tests.runtime.models import layer as made
from tests.runtime.models import model

MGU = plan(trace(recurra.cells.mgu))


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Columns beyond a value's width may divide by zero; new arrays hold NaN until a kernel writes them."""
    held = dict(ways.HELD)
    for place, name in ((torch.Tensor, "new_empty"), (torch, "empty_like")):
        monkeypatch.setattr(place, name, zoo.poisoned(getattr(place, name)))
    with np.errstate(all="ignore"):
        yield
    ways.HELD.update(held)


@pytest.mark.parametrize(
    ("name", "layout", "way"),
    [("gru", 0, "steps"), ("lstm", 1, "sequences"), ("on_lstm", 3, "sequences"), ("on_lstm", 0, "steps"),
     ("skip_gru", 0, "steps"), ("tau_gru", 2, "sequences"), ("indrnn", 3, "sequences"), ("random:3", 0, "steps"),
     ("random:3", 3, "sequences")],
)  # fmt: skip
def test_cells_are_right(name, layout, way):
    zoo.check(name, way, layout)


def selftest_call(**options):
    """A call of an MGU, for the self-test."""
    return TritonCase(trace(recurra.cells.mgu), hidden=6, **options).call


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("way", zoo.WAYS)
def test_half_precision_has_states_of_float32(dtype, way):
    """The self-test's bounds hold, and results have the call's dtype."""
    ways.HELD.update(zoo.WAYS[way])
    call = TritonCase(trace(recurra.cells.mgu), dense=(2, 3), hidden=6).call
    half = {name: [v.to(getattr(torch, dtype)) for v in getattr(call, name)] for name in ("states", "parameters")}
    half_call = replace(call, x=call.x.to(getattr(torch, dtype)), **half)
    assert difference(TritonKernel(MGU), ReferenceKernel(MGU), half_call) == ""
    found = TritonKernel(MGU).forward(half_call, Wishes((True,) * len(MGU.program.sources)))
    assert {value.dtype for value in (found.output, *found.states, *found.kept)} == {half_call.x.dtype}


def test_a_wrong_kernel_is_found_and_not_used(caplog):
    call = TritonCase(trace(recurra.cells.mgu), dense=(2, 3), hidden=6).call

    class Wrong(TritonKernel):
        def backward(self, *arguments):
            gradients = super().backward(*arguments)
            return [gradients[0] * 1.01, *gradients[1:]]

    class Failing(TritonKernel):
        def forward(self, *arguments):
            raise RuntimeError("out of registers\nand more")

    for kernel, reason in ((Wrong(MGU), "backward pass is off by"), (Failing(MGU), "RuntimeError: out of registers")):
        tested = CheckedKernel(MGU)
        tested._fast = kernel
        with caplog.at_level("WARNING", logger="recurra"):
            found = tested.forward(call)
        assert reason in caplog.text
        assert "and more" not in caplog.text
        caplog.clear()
        assert torch.equal(found.output, WidenedKernel(MGU).forward(call).output)
        tested.forward(call)
        assert not caplog.text, "it is tested and told once"


def test_packed_rows_and_resets_are_tested_on_their_own(caplog):
    """A kernel that is wrong for packed rows, or with resets, is found at the first such call, and not before."""

    class Wrong(TritonKernel):
        def forward(self, call, wishes=None):
            result = super().forward(call, wishes)
            return replace(result, output=result.output + 1) if is_wrong(call) else result

    kinds = {
        "packed": lambda call: call.batch_sizes is not None,
        "dense with resets": lambda call: call.batch_sizes is None and call.reset is not None,
    }
    calls = {
        "dense": selftest_call(dense=(2, 3)),
        "packed": selftest_call(),
        "dense with resets": selftest_call(dense=(2, 3), reset=True),
        "packed with resets": selftest_call(reset=True, reverse=True),
    }
    for kind, is_wrong in kinds.items():
        tested = CheckedKernel(MGU)
        tested._fast = Wrong(MGU)
        for name, call in calls.items():
            with caplog.at_level("WARNING", logger="recurra"):
                tested.forward(call)
            assert (f"not used for 'mgu', {name} in float32" in caplog.text) == is_wrong(call), (kind, name)
            caplog.clear()


def test_the_self_test_keeps_to_the_domain_of_a_cell():
    """Near a time constant or a normaliser of 0 float32 is far from float64, and a right kernel would be refused."""
    for cell in (recurra.cells.ltc, recurra.cells.slstm):
        layer, sizes = Recurrent(cell, 16, 16), Sizes(16, 16)
        found = plan(trace(cell))
        states = [torch.zeros(2, state.width(sizes)) for state in found.program.states]
        x = torch.zeros(2, 2, found.program.input.width(sizes))
        call = Call(x, None, states, list(layer.parameters()), sizes)
        assert difference(TritonKernel(found), ReferenceKernel(found), call) == ""


def test_thresholds_in_half_precision_are_no_errors():
    """Numbers on both sides of a threshold may differ as much as the reference engine's in the same dtype, not more."""

    @recurra.cell
    def steps(x, h, *, W, U):
        return recurra.where(x @ W + h @ U > 0, 1.0, 0.0) + 0.5 * h

    found, call = plan(trace(steps)), selftest_call(dense=(2, 3))
    half = [torch.randn(3, 6).half(), torch.randn(6, 6).half()]
    call = replace(call, x=call.x.half(), states=[call.states[0].half()], parameters=half)
    far = [checked._far([("forward pass", torch.ones(2))], [("forward pass", torch.zeros(2))], {"forward pass": 0.5})]
    assert far == ["its forward pass is off by 1.0e+03 of the largest number"]
    assert difference(TritonKernel(found), ReferenceKernel(found), call) == ""


def test_a_lack_of_memory_says_nothing_of_the_kernels(caplog):
    """The call runs on the reference engine, and the next call is tested again."""

    class Full(TritonKernel):
        is_full = True

        def forward(self, *arguments):
            if self.is_full:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nand more")
            return super().forward(*arguments)

    kernel, call = CheckedKernel(MGU), selftest_call(dense=(2, 3))
    kernel._fast = Full(MGU)
    with caplog.at_level("INFO", logger="recurra"):
        found = kernel.forward(call)
        assert "could not be tested for 'mgu' on cpu, as memory is short" in caplog.text
        Full.is_full = False
        torch.testing.assert_close(kernel.forward(call).output, found.output, rtol=0, atol=2e-5)
        assert "is right for 'mgu', dense in float32 on cpu" in caplog.text


def test_layers_run_on_the_engine():
    assert reasons()["triton"] is None
    assert choose(MGU).name == "native", "the interpreter is for those who ask for it"
    torch.manual_seed(0)
    layer, x = Recurrent(recurra.cells.mgu, 3, 6, bidirectional=True), torch.randn(4, 2, 3)

    def run(name):
        layer.zero_grad()
        with recurra.engine(name):
            output, state = layer(x)
            (output.sum() + state.sum()).backward()
        return [output, state, *(p.grad for p in layer.parameters())]

    for mine, other in zip(run("triton"), run("reference"), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=2e-5)
    with recurra.engine("triton"), pytest.raises(recurra.EngineError, match="not in float64"):
        layer.double()(x.double())
    with recurra.engine("triton"), pytest.raises(recurra.EngineError, match="not numpy's arrays"):
        model(made(recurra.cells.mgu, 3, 4))(np.zeros((5, 2, 3), np.float32))
    assert "def mgu_forward(" in source(layer)
    assert "def mgu_backward(" in source(layer, backward=True)
    with pytest.raises(TypeError, match="recurrent layer of recurra's, not a Linear"):
        source(torch.nn.Linear(2, 2))


def test_loops_that_no_kernel_computes_are_refused():
    @recurra.cell
    def many(x, h, *, W, R):
        return recurra.tanh(x @ W + recurra.heads(h, 32) @ R)

    with recurra.engine("triton"), pytest.raises(recurra.EngineError, match="at most 16 heads, not of 32"):
        choose(plan(trace(many)))


def test_a_recorded_graph_runs_on_new_numbers(monkeypatch):
    """The first run launches, the second records, later ones replay; a shape more than is kept drops the oldest.

    Where memory is too short for a graph, all runs launch.
    """
    case = TritonCase(trace(recurra.cells.mgu), dense=(3, 2), hidden=5)
    graphs = []

    class Graph:
        run = None

        def replay(self):
            launch(loop, self.run)

    @contextlib.contextmanager
    def recording(graph, **options):
        graphs.append(graph)
        with monkeypatch.context() as inside:
            inside.setattr(StepLoop, "_launch", lambda self, run: setattr(graph, "run", run))
            yield

    launch = StepLoop._launch
    ways.HELD.update(zoo.WAYS["steps"])
    monkeypatch.setattr(step_loop, "_has_graphs", lambda device: True)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    kernel = TritonKernel(case.plan)
    kernel.forward(case.call)
    loop = next(iter(kernel._passes.values()))._loop
    outputs = []
    for scale in (1.0, 2.0, 3.0, 4.0):
        call = replace(case.call, x=case.call.x * scale)
        outputs.append(kernel.forward(call).output)
        torch.testing.assert_close(outputs[-1], ReferenceKernel(case.plan).forward(call).output, rtol=0, atol=2e-5)
    assert len(graphs) == 1
    assert not torch.equal(outputs[2], outputs[3])
    for steps in range(4, 9):
        kernel.forward(replace(case.call, x=torch.randn(steps, 2, 3)))
    assert len(loop._graphs) == 4

    def short_of_memory(run):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(step_loop._LaunchedLoop, "copied", short_of_memory)
    call = replace(case.call, x=torch.randn(10, 2, 3))
    for _ in range(3):  # launched step by step
        torch.testing.assert_close(kernel.forward(call).output, ReferenceKernel(case.plan).forward(call).output)


def gradients_of(layer, call, x):
    """The output of a layer whose masks are drawn from one seed, and the gradients of x and all parameters."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    output = call(x)[0]
    output.square().sum().backward()
    return [output, x.grad, *(parameter.grad.clone() for parameter in layer.parameters())]


def test_masks_in_training_and_under_torchs_compilers():
    """The same seed gives the reference engine's masks, and the compilers call the engine by the one operator."""
    masks = {"zoneout": 0.3, "recurrent_dropout": 0.3, "weight_drop": 0.3, "dropout": 0.4}
    layer, x = Recurrent(recurra.cells.mgu, 5, 6, 2, **masks), torch.randn(4, 3, 5)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    with recurra.engine("reference"):
        expected = gradients_of(layer, layer, x)
    with recurra.engine("triton"):
        for call in (layer, compiled):
            for ours, theirs in zip(gradients_of(layer, call, x), expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5 * float(theirs.detach().abs().max()))
        layer.eval()
        exported = torch.export.export(layer, (x,))
        assert torch.equal(exported.module()(x)[0], layer(x)[0])
    called = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert called.count("recurra.scan.default") == layer.num_layers
