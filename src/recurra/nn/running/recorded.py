"""Calls that torch.jit.trace records, also for torch.onnx.export with dynamo=False."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from recurra.engines.torch_internals import is_jit_traced, is_profiled
from recurra.nn.running.profiled import profiled_call

Result = TypeVar("Result")


def run_checked(checked_call: Callable[..., Result], *arguments: Any) -> Result:
    """Run a module's checked call.

    While torch.jit.trace records, torch warns of every comparison of a size. The checks compare sizes and leave nothing
    in the graph, so that these warnings are not shown; what would be fixed in the graph is refused (``refuse_fixed``).
    """
    if torch.compiler.is_compiling():
        return checked_call(*arguments)
    if is_profiled():
        with profiled_call(checked_call.__self__, arguments[0]):  # type: ignore[attr-defined]
            return checked_call(*arguments)
    if not is_jit_traced():
        return checked_call(*arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        return checked_call(*arguments)


def refuse_fixed(what: str) -> None:
    """Refuse a call that torch.jit.trace would record with numbers of the example.

    Raises:
        RuntimeError: torch.jit.trace records.
    """
    if not torch.compiler.is_compiling() and is_jit_traced():
        raise RuntimeError(
            f"torch.jit.trace would fix {what} to those of the example: use torch.export.export, which keeps them free"
        )
