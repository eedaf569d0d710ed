"""``export_graph``: a torch module as a graph, checked against the module on its example."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from recurra.engines.torch_internals import tree_flatten, tree_leaves, tree_map, tree_unflatten
from recurra.errors import FileFormatError, OnnxError, one_line
from recurra.graph.build import build
from recurra.graph.graph import ModelGraph
from recurra.graph.model import GraphModel
from recurra.nn.acceleration.accelerate import accelerate, acceleration, restore
from recurra.nn.graphs.recording import recording
from recurra.nn.graphs.rules.sizes import NO_VALUES
from recurra.nn.graphs.table import TABLE
from recurra.nn.graphs.translate import operation_name, translate

_logger = logging.getLogger("recurra")
_MOST_ONES = 6  # sizes of 1 of an example that are enlarged: all combinations of them may be tried
_TOLERANCE = 1e-3  # of the largest output, between the module and its graph: a wrong graph is off by far more


def export_graph(
    module: nn.Module, example: Any, output_names: Sequence[str] | None = None, dynamic_shapes: Any = None
) -> ModelGraph:
    """Make the graph of a module.

    Args:
        module: the module.
        example: the arguments of a call: a tensor, a tuple of positional arguments, or a dictionary of named ones.
        output_names: the names of the outputs. Default: the keys of a dictionary, else ``output``, ``output_0`` ….
        dynamic_shapes: which sizes are free, as ``torch.export.export`` takes it. Default: all that the module leaves
            free; sizes of 1 in the example are tried as larger ones.

    Raises:
        FileFormatError: the module cannot be exported, an operation is not supported, or the graph's numbers differ.
        TypeError: the example is no call's arguments.
    """
    arguments, options = _call(example)
    with _evaluation(module), torch.no_grad():
        expected = _flat(module(*arguments, **options))
        last: Exception | None = None
        for tried, named in _larger(module, arguments, options) if dynamic_shapes is None else [(arguments, options)]:
            program = _exported(module, tried, named, dynamic_shapes)
            graph = translate(program, output_names)
            try:
                _verify(graph, (arguments, options), expected)
            except (FileFormatError, OnnxError) as error:
                last = error
                continue
            _report(graph)
            return graph
    raise FileFormatError(str(last))


def _call(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the named arguments of an example."""
    if isinstance(example, torch.Tensor):
        return (example,), {}
    if isinstance(example, Mapping):
        return (), dict(example)
    if isinstance(example, (tuple, list)):
        return tuple(example), {}
    kind = type(example).__name__
    raise TypeError(f"example must be a tensor, a tuple of arguments or a dictionary of named ones, not {kind}")


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, with recurrent layers that recurra runs; afterwards it is as before."""
    modes = [(part, part.training) for part in module.modules()]
    before = {id(each.module) for each in acceleration(module).replaced}
    level, fast = _logger.level, torch.backends.mha.get_fastpath_enabled()
    try:
        module.eval()
        _logger.setLevel(logging.CRITICAL)  # what accelerate reports is about a module that is changed for long
        accelerate(module)
        _logger.setLevel(level)
        torch.backends.mha.set_fastpath_enabled(False)  # fused operations that have no parts
        yield
    finally:
        _logger.setLevel(level)
        torch.backends.mha.set_fastpath_enabled(fast)
        for each in acceleration(module).replaced:
            if id(each.module) not in before:
                restore(each.module)
        for part, is_training in modes:
            part.training = is_training


def _larger(module: nn.Module, arguments: Any, options: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Examples to try: with sizes of 1 enlarged, as torch.export takes these for fixed; then the example itself.

    As many of them as the module takes are enlarged: those of batch and time, of inputs and of states.
    """
    leaves, spec = tree_flatten((arguments, options))
    ones = [
        (number, dim)
        for number, leaf in enumerate(leaves)
        if isinstance(leaf, torch.Tensor)
        for dim, size in enumerate(leaf.shape)
        if size == 1
    ]
    places = ones if len(ones) <= _MOST_ONES else [each for each in ones if each[1] < 2][:_MOST_ONES]
    for count in range(len(places), 0, -1):
        for chosen in combinations(places, count):
            grown = [_grown(leaf, [dim for n, dim in chosen if n == number]) for number, leaf in enumerate(leaves)]
            example = tree_unflatten(grown, spec)
            if _runs(module, *example):
                yield example
    yield arguments, options


def _grown(value: Any, dims: Sequence[int]) -> Any:
    """A tensor whose chosen sizes of 1 are 2."""
    return value.repeat([2 if dim in dims else 1 for dim in range(value.ndim)]) if dims else value


def _runs(module: nn.Module, arguments: Any, options: Any) -> bool:
    try:
        module(*arguments, **options)
    except Exception:  # whatever a module raises for sizes that it does not take
        return False
    return True


def _exported(module: nn.Module, arguments: Any, options: Any, dynamic_shapes: Any) -> ExportedProgram:
    """The program of a module, with operations of the table as far as torch can decompose the others."""
    given = dynamic_shapes
    if given is None:
        given = tree_map(_all_free, _bound(module, arguments, options))
    quiet = logging.getLogger("torch")
    level = quiet.level
    try:
        quiet.setLevel(logging.ERROR)
        with warnings.catch_warnings(), recording():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, arguments, options, dynamic_shapes=given, strict=False)
            if _unknown(program):
                table: Any = torch.export.default_decompositions()
                for operation in [each for each in table if str(each) in TABLE]:
                    table.pop(operation)
                program = program.run_decompositions(table)
    except Exception as error:  # of many classes; the user sees torch's own text
        reason = one_line(" ".join(str(error).split()), 600)
        raise FileFormatError(f"torch.export cannot export the module: {reason}") from error
    finally:
        quiet.setLevel(level)
    return program


def _unknown(program: ExportedProgram) -> bool:
    """Whether a program has operations that are not in the table, such as those that change a tensor in place."""
    names = {operation_name(node.target) for node in program.graph.nodes if node.op == "call_function"}
    return bool(names - TABLE.keys() - NO_VALUES)


def _bound(module: nn.Module, arguments: Any, options: Any) -> Any:
    """The arguments by the names of forward's parameters, as dynamic shapes are given."""
    bound = inspect.signature(module.forward).bind(*arguments, **options)
    return dict(bound.arguments)


def _all_free(value: Any) -> Any:
    return dict.fromkeys(range(value.ndim), Dim.AUTO) if isinstance(value, torch.Tensor) else None


def _flat(value: Any) -> list[Any]:
    """The tensors and numbers of a module's result."""
    return [leaf for leaf in tree_leaves(value) if leaf is not None]


def _verify(graph: ModelGraph, call: tuple[Any, Any], expected: Sequence[Any]) -> None:
    """Refuse a graph whose numbers on the example are not the module's.

    Raises:
        FileFormatError: they differ.
        OnnxError: the graph cannot be built or run.
    """
    model: GraphModel = build(graph, "the graph")
    leaves = [leaf.detach().cpu().numpy() for leaf in tree_leaves(call) if isinstance(leaf, torch.Tensor)]
    results = model.run(None, dict(zip([each.name for each in model.inputs], leaves, strict=True)))
    for declared, result, wanted in zip(model.outputs, results, expected, strict=True):
        own = np.asarray(wanted.detach().cpu() if isinstance(wanted, torch.Tensor) else wanted)
        is_same = own.shape == result.shape and np.allclose(
            result, own, rtol=0, atol=_TOLERANCE * max(1.0, float(np.abs(own[np.isfinite(own)]).max(initial=0))),
            equal_nan=True,
        )  # fmt: skip
        if not is_same:
            shapes = f"{result.shape} and {own.shape}"
            raise FileFormatError(f"output {declared.name} of the graph is not the module's: shapes {shapes}")


def _report(graph: ModelGraph) -> None:
    """Log the inputs, with the sizes that are fixed."""
    declared = "; ".join(str(each) for each in graph.graph.inputs)
    _logger.info("saved as a graph; sizes by number are fixed, those by name are free: %s", declared)
