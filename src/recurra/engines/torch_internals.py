"""Every private name of torch that recurra uses, one name for each fact. All of them hold on torch 2.10 to 2.13.

When torch renames one, only this file changes. ``tests/engines/test_torch_internals.py`` has a test for each.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from operator import attrgetter
from types import CodeType, ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C._dynamo import eval_frame
from torch.autograd import forward_ad
from torch.utils import _pytree

Function = TypeVar("Function", bound=Callable[..., Any])

# Every call uses these. They are torch's functions themselves, as a Python function around each would cost time.

# Whether a function transform is active: vmap, grad, jvp … of torch.func.
is_transformed: Callable[[], bool] = torch._C._are_functorch_transforms_active

# Whether torch.jit.trace, or torch.onnx.export by it, is recording.
is_jit_traced: Callable[[], bool] = torch._C._is_tracing

# Whether a profiler records operations: torch.profiler, or torch.autograd.profiler.
is_profiled: Callable[[], bool] = torch._C._autograd._profiler_enabled

# A block that profilers show by a name, with the shapes of its operands: (name, operands).
profiled_as: Any = torch._C._profiler._RecordFunctionFast

# Whether a gradient is a batch of gradients: ``torch.autograd.grad(is_grads_batched=True)``.
is_batched: Callable[[Tensor], bool] = torch._C._functorch.is_legacy_batchedtensor

# Whether a tensor is all zeros and has no memory.
is_zero_tensor: Callable[[Tensor], bool] = Tensor._is_zerotensor

# How often a tensor's memory was changed in place.
version_of: Callable[[Tensor], int] = attrgetter("_version")

# Tells what torch.set_float32_matmul_precision was given last; torch's own function has a frame of Python around it.
float32_matmul_precision: Callable[[], str] = torch._C._get_float32_matmul_precision

_count_dispatch_modes: Callable[[], int] = torch._C._len_torch_dispatch_stack


def is_forward_mode() -> bool:
    """Whether a level of forward-mode differentiation is open."""
    return forward_ad._current_level >= 0


def is_watched() -> bool | int:
    """Whether something must see each of torch's operations: a transform, a dispatch mode, tracing, forward mode."""
    return is_transformed() or _count_dispatch_modes() or is_jit_traced() or forward_ad._current_level >= 0


def recording_gradients() -> AbstractContextManager[object]:
    """A block in a custom operator that records operations for autograd, as they are recorded outside of one."""
    guard: AbstractContextManager[object] = torch._C._SetExcludeDispatchKeyGuard(
        torch._C.DispatchKey.AutogradFunctionality, False
    )
    return guard


def applies_directly(function: type[torch.autograd.Function]) -> Any:
    """``function.apply`` without its preparation for transforms, for callers that know that none is active."""
    return super(torch.autograd.Function, function).apply  # type: ignore[misc]


def leave_to_python(code: CodeType) -> None:
    """Keep torch.compile from compiling parts of a function, or of its callees, if it cannot compile all of it."""
    skip = eval_frame._FrameAction.SKIP
    eval_frame.set_code_exec_strategy(code, eval_frame._FrameExecStrategy(skip, skip))


def constant_when_compiled(function: Function) -> Function:
    """Mark a function as ``torch.compiler.assume_constant_result`` does, without its import of torch's compiler."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def has_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16, which torch then uses."""
    return bool(torch.cpu._is_avx512_bf16_supported())


def lays_weights_flat() -> bool:
    """Whether this torch has cuDNN's function that flattens weights: lays them one after the other."""
    return bool(torch._use_cudnn_rnn_flatten_weight())


def lay_weights_flat(*arguments: Any) -> None:
    """Call the function that torch.nn.LSTM.flatten_parameters calls on a GPU, with the same arguments."""
    torch._cudnn_rnn_flatten_weight(*arguments)


def is_per_sample(weight: object) -> bool:
    """Whether a weight collects gradients sample by sample: torch.nn.utils' call_for_per_sample_grads makes such."""
    module = sys.modules.get("torch.nn.utils._expanded_weights.expanded_weights_impl")  # absent where nobody made one
    return module is not None and isinstance(weight, module.ExpandedWeight)


def shared_weight(weight: Any) -> Tensor:
    """The weight that all samples share, of one that collects gradients sample by sample."""
    shared: Tensor = weight.orig_weight
    return shared


def add_sample_gradients(weight: Tensor, gradients: Tensor) -> None:
    """Add gradients, (samples, *shape), to those that a weight has collected, as its ``grad_sample``."""
    from torch.nn.utils._expanded_weights.expanded_weights_utils import set_grad_sample_if_exists

    set_grad_sample_if_exists(weight, lambda _: gradients)


def tensor_functions() -> tuple[Any, Any] | None:
    """DLPack's C functions for tensors, and the function that counts active function modes; None if there are none."""
    functions = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    return None if functions is None else (functions, torch._C._len_torch_function_stack)


Translation = Callable[..., Any]


def translate_to_onnx(
    for_programs: Mapping[str, Callable[[], Translation]], for_traces: Mapping[str, Callable[[], Translation]]
) -> None:
    """Register translations of operators for both exporters of torch.onnx, which take a second to import.

    So a translation is registered when torch has imported its exporter, and loaded when it is used.

    Args:
        for_programs: for an operator, ``"namespace::name"``, what loads its translation for programs of torch.export,
            a function from operands to a list of values of the graph.
        for_traces: for an operator, what loads its translation for traces of torch.jit, a function from a graph and
            operands to values of the graph.
    """

    def register_for_programs(module: ModuleType) -> None:
        from torch.onnx._internal.exporter._torchlib._torchlib_registry import onnx_impl

        for operator, load in for_programs.items():
            namespace, name = operator.split("::")
            overload = getattr(getattr(torch.ops, namespace), name).default
            onnx_impl(overload, no_compile=True)(_deferred(load))

    def register_for_traces(module: ModuleType) -> None:
        for operator, load in for_traces.items():
            module.register_custom_op_symbolic(operator, _deferred(load), 9)

    after_import("torch.onnx._internal.exporter._torchlib.ops", register_for_programs)
    after_import("torch.onnx", register_for_traces)


def _deferred(load: Callable[[], Translation]) -> Translation:
    return lambda *operands: load()(*operands)


def after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call a function with a module after its import, or at once if it is imported already."""
    module = sys.modules.get(name)
    if module is not None:
        action(module)
    else:
        sys.meta_path.insert(0, _AfterImport(name, action))


class _AfterImport(MetaPathFinder):
    """Finds one module as Python does, and calls a function after its import."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]) -> None:
        self._name, self._action = name, action

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own specification, whose loader calls the function at its end."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _ThenCall(spec.loader, self._action)
        return spec


class _ThenCall(Loader):
    """Loads a module by another loader, and calls a function after it."""

    def __init__(self, loader: Loader, action: Callable[[ModuleType], None]) -> None:
        self._loader, self._action = loader, action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The other loader's module."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, which then has its own loader again, and call the function."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._action(module)


def recorded_onnx_nodes() -> list[Any]:
    """The nodes that a translation for torch.onnx.export(dynamo=True) adds to, while it runs."""
    from torch.onnx._internal.exporter import _core

    tracer: Any = _core.current_tracer
    nodes: list[Any] = tracer.nodes
    return nodes


def onnx_translation(name: str) -> Translation:
    """torch's own translation of an operator ``aten::name`` for traces; ``unused`` writes an input that is left out."""
    from torch.onnx import symbolic_opset9

    translation: Translation = getattr(symbolic_opset9, name)
    return translation


def fixed_size(size: Any) -> int | None:
    """A size of a tensor in an exported program, if it is fixed; None if it is free."""
    return size if isinstance(size, int) else size.node.maybe_as_int()


def promise(condition: Any) -> None:
    """Tell torch.export what holds for sizes that follow from numbers."""
    torch._check(condition)  # type: ignore[no-untyped-call]


def operation_of(target: object) -> str | None:
    """The name of an operation in an exported program, such as ``aten.relu.default``; None for another function."""
    return str(target) if isinstance(target, torch._ops.OpOverload) else None


# Nested lists, tuples and dictionaries of arguments and results: taken apart, put together, changed leaf by leaf.
tree_flatten, tree_unflatten = _pytree.tree_flatten, _pytree.tree_unflatten
tree_leaves, tree_map = _pytree.tree_leaves, _pytree.tree_map
