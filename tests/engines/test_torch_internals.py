"""Each private name of torch that recurra uses still has the meaning it is used for."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

import recurra
from recurra.engines import torch_internals

SOURCE = Path(recurra.__file__).parent


class Silent(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def test_nothing_private_is_used_elsewhere():
    """No other file uses or imports ``torch._…``. torch._VF is allowed, as torch.nn calls it."""
    for path in SOURCE.rglob("*.py"):
        if path.name == "torch_internals.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
                private = [part for part in (node.module or "").split(".") if part.startswith("_")]
                private += [alias.name for alias in node.names if alias.name.startswith("_")]
                assert set(private) <= {"_VF"}, f"{path}: {ast.unparse(node)}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
                assert not node.attr.startswith("_") or node.attr == "_VF", f"{path}: torch.{node.attr}"


def test_transforms_are_seen():
    seen = []

    def look(x):
        seen.append((torch_internals.is_transformed(), torch_internals.is_watched()))
        return x

    torch.func.vmap(look)(torch.zeros(2))
    torch.func.grad(lambda x: look(x).sum())(torch.zeros(2))
    look(torch.zeros(2))
    assert seen == [(True, True), (True, True), (False, False)]


def test_modes_are_seen():
    with Silent():
        assert torch_internals.is_watched()
    assert not torch_internals.is_watched()


def test_forward_mode_is_seen():
    with forward_ad.dual_level():
        assert torch_internals.is_forward_mode()
        assert torch_internals.is_watched()
    assert not torch_internals.is_forward_mode()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_tracing_is_seen():
    seen = []

    class Looking(torch.nn.Module):
        def forward(self, x):
            seen.append((torch_internals.is_jit_traced(), torch_internals.is_watched()))
            return x + 1

    torch.jit.trace(Looking(), torch.zeros(2), check_trace=False)
    assert seen == [(True, True)]
    assert not torch_internals.is_jit_traced()


def test_gradients_in_one_are_seen():
    seen = []

    class Looking(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            seen.append(torch_internals.is_batched(gradient))
            return gradient

    x = torch.zeros(2, requires_grad=True)
    y = Looking.apply(x)
    torch.autograd.grad(y, x, torch.eye(2), is_grads_batched=True, retain_graph=True)
    torch.autograd.grad(y, x, torch.ones(2))
    assert seen == [True, False]


def test_tensors_that_stand_for_zeros_are_seen():
    assert torch_internals.is_zero_tensor(torch._efficientzerotensor(3))
    assert not torch_internals.is_zero_tensor(torch.zeros(3))


def test_changes_in_place_are_counted():
    x = torch.zeros(3)
    before = torch_internals.version_of(x)
    x.add_(1)
    assert torch_internals.version_of(x) == torch_internals.version_of(x.detach()) == before + 1


def test_gradients_are_recorded_inside_of_an_operator():
    seen = []

    @torch.library.custom_op("recurra_tests::look", mutates_args=())
    def look(x: torch.Tensor) -> torch.Tensor:
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            seen.append((leaf * 2).requires_grad)
            with torch_internals.recording_gradients():
                seen.append((leaf * 2).requires_grad)
        return x.clone()

    look(torch.zeros(2))
    assert seen == [False, True]


def test_a_function_is_applied_directly():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 2

    x = torch.ones(2, requires_grad=True)
    (found,) = torch.autograd.grad(torch_internals.applies_directly(Twice)(x).sum(), x)
    assert found.tolist() == [2, 2]


def test_a_function_is_left_to_python():
    seen = []

    def inner(x):
        seen.append(torch.compiler.is_compiling())
        return x + 1

    def outer(x):
        return inner(x) * 2

    torch_internals.leave_to_python(outer.__code__)
    compiled = torch.compile(lambda x: outer(x) + 1, backend="eager")
    assert compiled(torch.zeros(1)).item() == 3
    assert outer(torch.zeros(1)).item() == 2
    assert False in seen


def test_tensors_can_be_read_by_native_code():
    functions, modes = torch_internals.tensor_functions()
    assert type(functions).__name__ == "PyCapsule"
    assert modes() == 0


def test_weights_are_laid_flat_where_there_is_cudnn():
    """``torch.nn.LSTM`` asks the same question; only builds with cuDNN have the function itself."""
    assert torch_internals.lays_weights_flat() in (True, False)
    assert "_use_cudnn_rnn_flatten_weight" in inspect.getsource(torch.nn.RNNBase.flatten_parameters)
    assert "_cudnn_rnn_flatten_weight" in inspect.getsource(torch.nn.RNNBase.flatten_parameters)


def test_instructions_for_bfloat16_are_known():
    """Where torch lists the processor's capabilities, which newer ones do, they agree."""
    assert torch_internals.has_bfloat16() in (True, False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    if "avx512_bf16" in capabilities:
        assert torch_internals.has_bfloat16() == capabilities["avx512_bf16"]


def test_functions_are_marked_constant_as_torch_marks_them():
    marks = torch.compiler.assume_constant_result, torch_internals.constant_when_compiled
    marked = [mark(lambda: None) for mark in marks]
    assert vars(marked[0]) == vars(marked[1]) != {}


def test_a_function_is_called_after_an_import(tmp_path, monkeypatch):
    (tmp_path / "imported_later.py").write_text("number = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []
    torch_internals.after_import("imported_later", lambda module: seen.append(module.number))
    assert seen == []
    module = importlib.import_module("imported_later")
    torch_internals.after_import("imported_later", lambda module: seen.append(-module.number))
    assert seen == [3, -3]
    assert module.__spec__.loader is module.__loader__
    assert inspect.getsource(module) == "number = 3\n"


def test_torch_s_own_translations_are_found():
    assert callable(torch_internals.onnx_translation("_pack_padded_sequence"))
    assert callable(torch_internals.onnx_translation("_pad_packed_sequence"))
    assert callable(torch_internals.onnx_translation("unused"))


def test_profilers_are_seen_and_shown_blocks():
    assert not torch_internals.is_profiled()
    with torch.profiler.profile(record_shapes=True) as found:
        assert torch_internals.is_profiled()
        with torch_internals.profiled_as("a block", (torch.ones(2, 3),)):
            pass
    (event,) = (each for each in found.events() if each.name == "a block")
    assert event.input_shapes == [[2, 3]]
    assert not torch_internals.is_profiled()
