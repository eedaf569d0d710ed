"""Translates a program of torch.export node by node into a graph of operators."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from recurra.engines.torch_internals import fixed_size, operation_of
from recurra.errors import FileFormatError
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, ModelGraph
from recurra.nn.graphs import rules  # noqa: F401  (fills the table)
from recurra.nn.graphs.rules.sizes import NO_VALUES
from recurra.nn.graphs.table import TABLE
from recurra.nn.graphs.writer import OPSET, NodeWriter, Ref, numpy_dtype

_SHOWN = 10  # problems in one message
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in \S+\n\s*(?P<code>.*)$', re.M)
_LIBRARIES = ("/torch/", "/recurra/", "\\torch\\", "\\recurra\\")


def translate(program: ExportedProgram, output_names: Sequence[str] | None = None) -> ModelGraph:
    """Translate an exported program.

    Args:
        program: the program, exported in evaluation mode.
        output_names: the names of the outputs. Default: the keys of a dictionary, else ``output``, or ``output_0``,
            ``output_1`` … for several.

    Raises:
        FileFormatError: operations are not in the table; the message names each with its line in the user's source.
    """
    translator = _Translator(program)
    for node in program.graph.nodes:
        if node.op == "call_function":
            translator.call(node)
    if translator.problems:
        shown = "; ".join(translator.problems[:_SHOWN])
        more = f"; and {len(translator.problems) - _SHOWN} more" if len(translator.problems) > _SHOWN else ""
        raise FileFormatError(f"the module cannot be a graph: {shown}{more}")
    return ModelGraph(translator.graph(output_names), OPSET)


def operation_name(target: Any) -> str:
    """The name of a node's operation in the table: ``aten.relu.default``; ``builtin.mul`` for arithmetic of sizes."""
    return operation_of(target) or f"builtin.{getattr(target, '__name__', str(target))}"


class _Translator:
    """The translation of one program.

    Args:
        program: the exported program.

    Attributes:
        problems: the operations that are not supported, each with its line.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self._program, self._writer = program, NodeWriter()
        self._values: dict[fx.Node, Any] = {}
        self._tensors: dict[fx.Node, torch.Tensor] = {}  # the module's own
        self._sizes: dict[str, str] = {}  # names of free sizes, by their symbols
        self.problems: list[str] = []
        self.inputs: list[Declaration] = []
        placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
        for spec in program.graph_signature.input_specs:
            if spec.arg.name in placeholders:
                self._enter(placeholders[spec.arg.name], spec)

    def _enter(self, node: fx.Node, spec: Any) -> None:
        """Enter an input, or a parameter, buffer or constant of the module."""
        val = node.meta.get("val")
        if spec.kind is InputKind.USER_INPUT:
            if not isinstance(val, torch.Tensor):
                self._values[node] = None if val is None else getattr(spec.arg, "value", val)
                return
            name = self._writer.name(node.name)
            shape = tuple(self._size_name(size, f"{name}_{dim}") for dim, size in enumerate(val.shape))
            self.inputs.append(Declaration(name, shape, self._dtype(val, f"input {name}")))
            self._values[node] = Ref(name, val)
            return
        found = {**self._program.state_dict, **self._program.constants}.get(spec.target)
        if not isinstance(found, torch.Tensor):
            self.problems.append(f"{spec.target} is no tensor")
            return
        self._tensors[node] = found.detach()
        if self._dtype(found, str(spec.target)) is None or not any(True for _ in node.users):
            self._values[node] = Ref("", val)
            return
        array = np.array(found.detach().cpu().contiguous().numpy())
        array.flags.writeable = False
        self._values[node] = Ref(self._writer.tensor(array, str(spec.target)), val)

    def _size_name(self, size: Any, name: str) -> int | str:
        """A size that is fixed, or the name of one that is free: that of the first input's dimension that has it."""
        fixed = fixed_size(size)
        return self._sizes.setdefault(str(size), name) if fixed is None else fixed

    def _dtype(self, value: torch.Tensor, what: str) -> np.dtype[Any] | None:
        try:
            return numpy_dtype(value.dtype)
        except ValueError as problem:
            self.problems.append(f"{what}: {problem}")
            return None

    def call(self, node: fx.Node) -> None:
        """Write the nodes of an operation, by its rule."""
        name, writer = operation_name(node.target), self._writer
        if name in NO_VALUES:
            return
        arguments = [self._resolved(each) for each in node.args]
        options = {key: self._resolved(each) for key, each in node.kwargs.items()}
        writer.label, writer.operation, writer.result = node.name, name, node.meta.get("val")
        try:
            value = TABLE[name](writer, *arguments, **options) if name in TABLE else self._settled(node)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            if not self._is_after_problem(node):
                self.problems.append(f"{name} at {_line_of(node)}: {problem}")
            self._values[node] = _Unknown
            return
        self._values[node] = self._named(value, node.meta.get("val"))

    def _settled(self, node: fx.Node) -> Any:
        """The result of an operation that is in no table, where it follows from the module's own tensors alone."""
        try:
            found = self._evaluated(node)
        except LookupError:
            raise ValueError("the operation is not supported") from None
        values = tuple(found) if isinstance(found, (list, tuple)) else (found,)
        arrays = [np.array(each.detach().cpu().contiguous().numpy()) for each in values]
        names = tuple(self._writer.tensor(array, node.name) for array in arrays)
        return names if isinstance(found, (list, tuple)) else names[0]

    def _evaluated(self, node: fx.Node) -> Any:
        """The value of a node that follows from the module's own tensors.

        Raises:
            LookupError: it does not.
        """
        if node in self._tensors:
            return self._tensors[node]
        if node.op != "call_function" or not callable(node.target):
            raise LookupError(node.name)
        arguments: Any = fx.node.map_arg(node.args, self._evaluated)
        options: Any = fx.node.map_arg(node.kwargs, self._evaluated)
        return node.target(*arguments, **options)

    def _is_after_problem(self, node: fx.Node) -> bool:
        """Whether an operand is not known, so that a further problem says nothing new."""
        return any(self._values.get(each) is _Unknown for each in node.all_input_nodes)

    def _resolved(self, argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            return self._values.get(argument)
        if isinstance(argument, (list, tuple)):
            return [self._resolved(each) for each in argument]
        return argument

    def _named(self, value: Any, val: Any) -> Any:
        """Names of values as references, with torch's stand-ins."""
        if isinstance(value, tuple) and not isinstance(value, Ref):
            vals = list(val) if isinstance(val, (list, tuple)) else [val]
            vals += [None] * (len(value) - len(vals))
            return [self._named(each, own) for each, own in zip(value, vals, strict=False)]
        if isinstance(value, Ref):
            return Ref(value.name, val if isinstance(val, torch.Tensor) else value.val)
        return Ref(value, val) if isinstance(value, str) else value

    def graph(self, output_names: Sequence[str] | None) -> Graph:
        """The whole graph."""
        output = next(node for node in self._program.graph.nodes if node.op == "output")
        results = []
        for spec, argument in zip(self._program.graph_signature.output_specs, output.args[0], strict=True):
            if spec.kind is not OutputKind.USER_OUTPUT:
                raise FileFormatError(
                    f"the module changes its own {spec.target}: what a call leaves behind is no part of a graph"
                )
            value = self._resolved(argument)
            if value is not None:
                results.append(value)
        names = self._output_names(len(results), output_names)
        outputs = []
        self._writer.label = "output"
        for wanted, value in zip(names, results, strict=True):
            source = value.name if isinstance(value, Ref) else self._writer.number(value, _plain_dtype(value))
            own = self._writer.node("Identity", source)
            outputs.append(self._declared(wanted, own, value))
        nodes = tuple(self._writer.nodes)
        used = {name for node in nodes for name in node.inputs}
        tensors = {name: array for name, array in self._writer.tensors.items() if name in used}
        return _renamed(Graph(tuple(self.inputs), tuple(outputs), nodes, tensors), dict(zip(
            [each.name for each in outputs], names, strict=True)))  # fmt: skip

    def _declared(self, wanted: str, own: str, value: Any) -> Declaration:
        val = value.val if isinstance(value, Ref) else None
        if not isinstance(val, torch.Tensor):
            return Declaration(own, (), np.dtype(np.int64) if isinstance(value, (Ref, int)) else None)
        sizes = [(fixed_size(size), self._sizes.get(str(size))) for size in val.shape]
        shape = tuple(name if fixed is None else fixed for fixed, name in sizes)
        return Declaration(own, shape, self._dtype(val, f"output {wanted}"))

    def _output_names(self, count: int, given: Sequence[str] | None) -> list[str]:
        if given is not None:
            are_names = all(isinstance(name, str) and name for name in given)
            if not are_names or len(given) != count or len(set(given)) < count:
                raise FileFormatError(f"output_names must be {count} different names, as many as the module's outputs")
            return list(given)
        keys = _keys(self._program, count)
        if keys is not None:
            return keys
        return ["output"] if count == 1 else [f"output_{number}" for number in range(count)]


class _Unknown:
    """Stands for the value of an operation that is not supported."""


def _plain_dtype(value: Any) -> torch.dtype:
    return torch.bool if isinstance(value, bool) else torch.int64 if isinstance(value, int) else torch.float32


def _keys(program: ExportedProgram, count: int) -> list[str] | None:
    """The keys of a dictionary that the module returns; None if it returns something else."""
    context = getattr(program.call_spec.out_spec, "context", None)
    if not isinstance(context, list) or len(context) != count or len(set(context)) < count:
        return None
    return list(context) if all(isinstance(key, str) and key for key in context) else None


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with its outputs named otherwise; values inside that have these names give way."""
    inputs = {each.name for each in graph.inputs}
    taken = [name for name in names.values() if name in inputs]
    if taken:
        raise FileFormatError(f"output {taken[0]!r} has the name of an input: give others with output_names=")
    others = {name: f"{name}.inner" for name in names.values() if name not in names}
    mapping = {**others, **names}

    def of(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(mapping.get(name, name) for name in values)

    nodes = tuple(replace(node, inputs=of(node.inputs), outputs=of(node.outputs)) for node in graph.nodes)
    outputs = tuple(replace(each, name=mapping[each.name]) for each in graph.outputs)
    tensors = {mapping.get(name, name): array for name, array in graph.tensors.items()}
    return Graph(graph.inputs, outputs, nodes, tensors)


def _line_of(node: fx.Node) -> str:
    """The line of the user's source that a node comes from, as torch.export keeps it."""
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or node.stack_trace or ""))
    own = [frame for frame in frames if not any(each in frame["file"] for each in _LIBRARIES)] or frames
    if not own:
        return "an unknown line"
    frame = own[-1]
    return f"{frame['file']}:{frame['line']} `{frame['code'].strip()}`"
