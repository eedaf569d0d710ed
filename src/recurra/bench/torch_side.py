"""Sides made of torch modules: recurra's own, and those of the peers that are written in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.bench.problem import Problem
from recurra.bench.side import Results, Side

Renamed = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def torch_side(
    name: str, module: nn.Module, problem: Problem, *, threads: int, renamed: Renamed = dict, compared: bool = True
) -> Side:
    """Make a side of a module.

    Args:
        name: the name of the peer.
        module: a module that takes the input and the first states, as torch.nn's layers and cells do.
        problem: gives the input, the first states, and whether a backward pass follows.
        threads: the number of threads that torch may use.
        renamed: turns gradients by the module's names into gradients by recurra's names. Default: they are the same.
        compared: whether the numbers are to be compared. Default True.
    """
    x, hx, training = problem.x, problem.hx, problem.case.training
    parameters = list(module.parameters())

    def infer() -> object:
        return module(x, hx)

    def train() -> None:
        for parameter in parameters:
            parameter.grad = None
        _output(module(x, hx)).sum().backward()  # type: ignore[no-untyped-call]

    def results() -> Results:
        with during():
            return _results(module, problem, renamed)

    def during() -> AbstractContextManager[object]:
        return _setting(threads, training)

    return Side(name, train if training else infer, results if compared else None, during)


@contextmanager
def _setting(threads: int, training: bool) -> Iterator[None]:
    before = torch.get_num_threads()
    if before != threads:
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode(not training):
            yield
    finally:
        if before != threads:
            torch.set_num_threads(before)


def _output(result: Any) -> Tensor:
    """The output in a result of a layer or a cell."""
    first = result[0] if type(result) is tuple else result
    return first.data if isinstance(first, PackedSequence) else first


def _last(result: Any, is_cell: bool) -> tuple[Tensor, ...]:
    """The last states in a result of a layer or a cell."""
    states = result if is_cell else result[1]
    return states if isinstance(states, tuple) else (states,)


def _results(module: nn.Module, problem: Problem, renamed: Renamed) -> Results:
    data = problem.x.data if isinstance(problem.x, PackedSequence) else problem.x
    data = data.clone().requires_grad_(problem.case.training)
    x = problem.x._replace(data=data) if isinstance(problem.x, PackedSequence) else data
    result = module(x, problem.hx)
    values = {"output": _output(result)}
    values |= dict(zip(("h_n", "c_n"), _last(result, problem.case.group == "step"), strict=False))
    if problem.case.training:
        values |= _gradients(module, values["output"], data, renamed)
    return {name: value.detach().numpy().copy() for name, value in values.items()}


def _gradients(module: nn.Module, output: Tensor, x: Tensor, renamed: Renamed) -> dict[str, Tensor]:
    named = dict(module.named_parameters())
    of_x, *gradients = torch.autograd.grad(output.sum(), [x, *named.values()])
    by_name = renamed(dict(zip(named, gradients, strict=True)))
    return {"grad x": of_x} | {f"grad {name}": value for name, value in by_name.items()}
