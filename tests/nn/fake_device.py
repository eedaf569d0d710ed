"""A device that answers like a GPU's and computes on the CPU: its tensors are plain tensors, not on the CPU.

It uses torch's key for third-party devices (PrivateUse1), so that type, device, autograd, parameters and `.to` are
those of any device. It records the operations of a program, and the transfers back to the host, for which a program on
a GPU would wait. torch's fused recurrent layers are one operation each here, as in cuDNN, with one backward
pass.

    module, x = on_device(module), on_device(x)
    with watched() as seen:
        output, _ = module(x)
    assert seen.reads == [] and seen.count("lstm") == 1
    host(output)

Import it at the head of a test's file: torch starts its threads at the first backward pass of a process, for the
devices that are known by then.
"""

from __future__ import annotations

import ctypes
import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.utils import _pytree as pytree
from torch.utils import backend_registration, dlpack

NAME = "fake"
FUSED = [
    f"{kind}.{form}" for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu") for form in ("input", "data")
] + ["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"]  # fmt: skip

_OTHERS = 12  # DLPack's number of PrivateUse1
# The results of these lie on the host, or have shapes that depend on numbers.
_READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero"}
_MIXED = {"_copy_from", "_copy_from_and_resize", "index", "index_put_", "_index_put_impl_"}  # of two devices


@dataclass
class Seen:
    """The operations and transfers that a program asked of the device.

    Attributes:
        operations: names of operations, such as ``"mm"`` or ``"lstm"``, in order; a fused layer's backward pass is
            ``"lstm_backward"``.
        reads: transfers to the host, which waits for the device.
        uploads: transfers from the host.
    """

    operations: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)

    def count(self, name: str) -> int:
        """Count the runs of an operation."""
        return self.operations.count(name)


_watching: list[Seen] = []


@contextmanager
def watched() -> Iterator[Seen]:
    """Record the operations and transfers inside a ``with`` block."""
    seen = Seen()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def on_device(value):
    """Move a module as `.to` does, or copy a tensor there; a tuple or list likewise."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(on_device, value))
    return value.to(NAME)


def host(value):
    """Copy to the CPU without a record of it, for assertions."""
    held, _watching[:] = list(_watching), []
    try:
        return pytree.tree_map(lambda v: v.cpu() if isinstance(v, torch.Tensor) else v, value)
    finally:
        _watching[:] = held


def _known_to_torch() -> list[torch.library.Library]:
    """Register the device for the life of the process; the caller must keep the result alive."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    everything = torch.library.Library("_", "IMPL")
    everything.fallback(_run, "PrivateUse1")
    everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")  # torch itself casts nothing here
    fused = torch.library.Library("aten", "IMPL")
    for name in FUSED:
        operation = functools.reduce(getattr, name.split("."), torch.ops.aten)
        operation = operation if isinstance(operation, torch._ops.OpOverload) else operation.default
        for key in ("PrivateUse1", "AutogradPrivateUse1"):
            fused.impl(name, functools.partial(_run_fused, operation), key)
    return [everything, fused]


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.float16, torch.bfloat16]

    def get_rng_state(self, device=None):
        return torch.get_rng_state()

    def set_rng_state(self, state, device=None):
        torch.set_rng_state(state)


def _note(name, reads=False, uploads=False):
    for seen in _watching:
        seen.operations.append(name)
        if reads:
            seen.reads.append(name)
        if uploads:
            seen.uploads.append(name)


def _is_here(value):
    return isinstance(value, torch.Tensor) and value.device.type == NAME


def _memory(tensor):
    """A tensor of the CPU over the memory of a tensor of the device."""
    storage = tensor.untyped_storage()
    result = torch.empty(0, dtype=tensor.dtype)
    if storage.nbytes() == 0:
        return result.new_empty(tensor.shape)
    memory = (ctypes.c_char * storage.nbytes()).from_address(storage.data_ptr())
    memory.owner = storage
    raw = torch.frombuffer(memory, dtype=torch.uint8)
    return result.set_(raw.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())


def _there(tensor):
    """A tensor of the device over the memory of a tensor of the CPU."""
    capsule = torch._C._to_dlpack(tensor.detach())
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    ctypes.c_int32.from_address(pointer(capsule, b"dltensor") + 8).value = _OTHERS  # behind the pointer to the numbers
    return dlpack.from_dlpack(capsule)


def _run(operation, *args, **kwargs):
    """Run any operation on the CPU, over the same memory."""
    name = operation._schema.name.removeprefix("aten::")
    given = [value for value in pytree.tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
    elsewhere = [value for value in given if not _is_here(value)]
    if any(value.dim() > 0 for value in elsewhere) and name not in _MIXED:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {name} was given some on {NAME} and cpu"
        )
    to_host = name == "_copy_from" and not _is_here(args[1])
    _note(name, reads=to_host or name in _READS, uploads=name in _MIXED and not to_host and bool(elsewhere))
    owners, memories = {}, {}

    def inside(value):
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not _is_here(value):
            return value
        memory = _memory(value)
        owners[id(memory)], memories[id(memory)] = value, memory
        return memory

    args, kwargs = pytree.tree_map(inside, (args, kwargs))
    if name == "_copy_from":
        args[1].copy_(args[0])
        return owners.get(id(args[1]), args[1])
    memories = {key: (memory.shape, memory) for key, memory in memories.items()}
    result = operation(*args, **kwargs)
    for key, (shape, memory) in memories.items():
        if memory.shape != shape:  # `out=`, which had another size
            owners[key].data = _there(memory)

    def outside(value):
        return owners[id(value)] if id(value) in owners else _there(value) if isinstance(value, torch.Tensor) else value

    return pytree.tree_map(outside, result)


def _run_fused(operation, *args):
    """Run a recurrent layer of torch: one operation, and one for its gradients."""
    flat, spec = pytree.tree_flatten(args)
    places = [place for place, value in enumerate(flat) if _is_here(value)]
    inside = [flat[place] for place in places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the CPU's layers speak of the CPU's libraries
        results = _Fused.apply(operation, flat, spec, places, torch.is_grad_enabled(), *inside)
    return results if len(results) > 1 else results[0]


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operation, flat, spec, places, is_recorded, *tensors):
        name = operation._schema.name.removeprefix("aten::")
        _note(name)
        with torch.set_grad_enabled(is_recorded):
            inside = [_memory(tensor).requires_grad_(is_recorded and tensor.requires_grad) for tensor in tensors]
            for place, tensor in zip(places, inside, strict=True):
                flat[place] = tensor
            results = operation(*pytree.tree_unflatten(flat, spec))
            results = results if isinstance(results, tuple) else (results,)
        ctx.name, ctx.inside, ctx.results = name, inside, results
        return tuple(_there(result) for result in results)

    @staticmethod
    def backward(ctx, *gradients):
        _note(f"{ctx.name}_backward")
        pairs = [(r, _memory(g)) for r, g in zip(ctx.results, gradients, strict=True) if g is not None]
        outputs, arriving = zip(*pairs, strict=True)
        wanted = [tensor for tensor in ctx.inside if tensor.requires_grad]
        found = iter(torch.autograd.grad(outputs, wanted, arriving, allow_unused=True, materialize_grads=True))
        return (None,) * 5 + tuple(_there(next(found)) if t.requires_grad else None for t in ctx.inside)


_LIBRARIES = _known_to_torch()
