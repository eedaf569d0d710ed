"""Accelerated modules in the rest of torch: copies, files, other dtypes, compilers, exporters, processes."""

import copy
import gc
import io
import pickle
import re

import onnxruntime
import pytest
import torch
from torch import nn

import recurra
from recurra.nn import acceleration
from recurra.nn.acceleration.classes import Accelerated
from tests.nn.acceleration.accelerating import (
    B,
    F,
    H,
    T,
    assert_agree,
    assert_replaced,
    input_of,
    make,
    over_all,
    twins,
)
from tests.nn.support import LAYERS, assert_same, gradients, ours, tensors

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


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
    """torch computes the same bits as before, and recurra runs the module again once its weights are float32."""
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
        try:
            expected = tensors(reference(x))
        except RuntimeError as error:  # oneDNN has no LSTM of bfloat16 for processors without AVX-512
            with pytest.raises(RuntimeError, match=re.escape(str(error)[:60])):
                module(x)
            return
        for mine, other in zip(tensors(module(x)), expected, strict=True):
            assert mine.dtype == other.dtype
            assert torch.equal(mine, other)


@over_all
def test_other_devices_are_torch_s(name):
    """The meta device stands for every device but the CPU."""
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
    """Accelerated modules have recurra's additions to torch.nn."""
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


# torch hides this warning of its compiler, but not where warnings are errors.
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
    """Accelerated modules stay out of graphs, as torch.nn's layers do; with allow_rnn they go in as torch's code."""
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
    """The exported program has torch's operators, and runs without recurra."""
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
        # The group must go last: DDP's reducer would end its threads under Python's lock, for which they may wait.
        parallel = None
        gc.collect()
        torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")  # of torch's exporter, which is the old one
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_alone_is_exported_as_by_torch(kind, tmp_path):
    layer, x = recurra.accelerate(getattr(nn, kind)(4, 5)).eval(), torch.randn(7, 3, 4)
    torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=False)
    session = onnxruntime.InferenceSession(tmp_path / "layer.onnx", providers=["CPUExecutionProvider"])
    output = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(output), layer(x)[0].detach(), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", [*LAYERS, "LSTMCell", "GRUCell", "RNNCell"])
def test_inside_of_a_script_module(name):
    module, reference = twins(name)

    class Scripted(torch.jit.ScriptModule):
        def __init__(self):
            super().__init__()
            self.inner = recurra.accelerate(module)

        @torch.jit.script_method
        def forward(self, x):
            return self.inner(x)

    x = input_of(name)
    assert_same(tensors(Scripted()(x)), tensors(reference(x)))


@pytest.mark.parametrize("name", [*LAYERS, "LSTMCell"])
def test_whole_numbers_are_no_dtype_for_weights(name):
    module = recurra.accelerate(make(name))
    with pytest.raises((ValueError, RuntimeError), match=r"numbers through \.to\(torch\.float64\)") as refused:
        module(torch.ones(T, B, F, dtype=torch.int64) if name in LAYERS else torch.ones(B, F, dtype=torch.int64))
    assert ".to(torch.int64)" not in str(refused.value)


class Doubled(torch.Tensor):
    """A weight with a rule of its own, which torch's layers follow."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        plain = torch.utils._pytree.tree_map_only(cls, lambda each: 2 * each.as_subclass(torch.Tensor), args)
        with torch._C.DisableTorchFunctionSubclass():
            return function(*plain, **(kwargs or {}))


def test_weights_with_rules_of_their_own_are_left_to_torch():
    module, reference = twins("GRUCell")
    recurra.accelerate(module)
    x = input_of("GRUCell")
    own = {name: weight.detach().as_subclass(Doubled) for name, weight in module.named_parameters()}
    doubled = {name: 2 * weight for name, weight in reference.named_parameters()}
    assert_same([torch.func.functional_call(module, own, x)], [torch.func.functional_call(reference, doubled, x)])
