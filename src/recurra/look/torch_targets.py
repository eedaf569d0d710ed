"""The explanation of modules of torch: recurrent ones of recurra and torch.nn, and models that have them inside."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import gru, lstm, rnn
from recurra.compiler import TracedCell, drop_biases, trace
from recurra.equations import relu, tanh
from recurra.look.batch_form import BatchForm
from recurra.look.costs import TrainingFacts
from recurra.look.explanation import ExplainedPart, Explanation
from recurra.look.layer_sizes import LayerSizes
from recurra.look.stack import Subject, explained_stack
from recurra.look.torch_inputs import arguments, form_of
from recurra.look.torch_run import Visit, visits
from recurra.model.recurrent_parts import ARRANGEMENT_DEFAULTS
from recurra.nn import Recurrent, RecurrentCell
from recurra.nn.acceleration.classes import Accelerated, own_class
from recurra.nn.acceleration.fitness import is_torch_recurrent
from recurra.program import Program

_ON_TORCH = "torch.nn runs it; bytes kept in training are those after recurra.accelerate(module)"


def explained_module(module: nn.Module, x: Any = None) -> Explanation:
    """The explanation of a recurrent module, or of the recurrent parts of a model.

    Raises:
        TypeError: the module has no recurrent part, or x is no input of it.
        ValueError, RuntimeError: x has another shape than the module takes; the message names the dimensions.
    """
    if is_recurrent(module):
        subject = _subject(module, x)
        return Explanation(subject.title, (ExplainedPart("", explained_stack(subject)),))
    found = {name: part for name, part in module.named_modules() if is_recurrent(part)}
    inner = [name for name in found if any(name.startswith(f"{other}.") for other in found)]
    for name in inner:  # a recurrent module is explained as a whole
        del found[name]
    if not found:
        raise TypeError(
            "explain takes a cell, a recurrent layer or cell, a model that has one, or the path of a file; not "
            f"{type(module).__name__}, which has no recurrent part"
        )
    if x is None:
        parts = [ExplainedPart(name, explained_stack(_subject(part, None))) for name, part in found.items()]
    else:
        parts = _run(module, found, x)
    return Explanation(f"{type(module).__name__}: {len(parts)} recurrent part{'s' * (len(parts) > 1)}", tuple(parts))


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module is a recurrent one of recurra or torch."""
    return isinstance(module, (Recurrent, RecurrentCell)) or is_torch_recurrent(module)


def _run(model: nn.Module, found: dict[str, nn.Module], x: Any) -> list[ExplainedPart]:
    """The parts of a model in the order in which it calls them on x; those that it does not call come last."""
    names = {id(part): name for name, part in found.items()}
    parts = []
    for visit in visits(model, list(found.values()), arguments(x)):
        notes = () if visit.calls == 1 else (f"called {visit.calls} times in this run; shapes of the first call",)
        parts.append(_visited(names.pop(id(visit.module)), visit, notes))
    for name in names.values():
        subject = _subject(found[name], None, ("not called in this run",))
        parts.append(ExplainedPart(name, explained_stack(subject)))
    return parts


def _visited(name: str, visit: Visit, notes: tuple[str, ...]) -> ExplainedPart:
    stack = explained_stack(_subject(visit.module, visit.arguments, notes))
    return ExplainedPart(name, stack, shapes(visit.arguments), shapes(visit.result))


def shapes(value: Any) -> str:
    """The shapes of the tensors in arguments or results: ``(5, 3, 40), ((4, 3, 20), (4, 3, 20))``."""
    if isinstance(value, PackedSequence):
        return f"packed {tuple(value.data.shape)}"
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, (tuple, list)):
        inner = [text for text in map(shapes, value) if text]
        return inner[0] if len(inner) == 1 else f"{', '.join(inner)}" if inner else ""
    return ""


# ---- one module ----


def _subject(module: Any, x: Any, notes: tuple[str, ...] = ()) -> Subject:
    """A recurrent module as what is explained."""
    is_ours = isinstance(module, (Recurrent, RecurrentCell))
    program = module.program if is_ours else _program(module)
    is_cell = not hasattr(module, "num_layers")
    given = {
        name: getattr(module, name)
        for name in ("num_layers", "bidirectional", "batch_first", "proj_size", *ARRANGEMENT_DEFAULTS)
        if not is_cell and hasattr(module, name)
    }
    sizes = LayerSizes(TracedCell(program), module.input_size, module.hidden_size, bias=bool(module.bias), **given)
    form, has_gradient = BatchForm(), False
    if x is not None:
        form, has_gradient = form_of(type(module).__name__, sizes, is_cell, arguments(x))
    weight = next(module.parameters(), None)
    training = TrainingFacts(
        4 if weight is None else weight.element_size(),
        getattr(module, "dropout", 0.0),
        getattr(module, "checkpoint", None),
        has_gradient,
        is_cell,
    )
    return Subject(_title(module), program, sizes, form, training, (*_notes(module, is_ours), *notes))


def _title(module: nn.Module) -> str:
    """The layer as Python shows it; of a parametrized one on one line, by the class that it had before."""
    kind = own_class(module)
    shown = str(module) if kind is type(module) else f"{kind.__name__}({module.extra_repr()})"
    return f"torch.nn.{shown}" if kind.__module__.startswith("torch.") else shown


def _notes(module: Any, is_ours: bool) -> tuple[str, ...]:
    if not is_ours:
        return (_ON_TORCH,)
    notes = ["accelerated: recurra runs it"] if isinstance(module, Accelerated) else []
    if getattr(module, "weight_drop", 0):
        notes.append(f"weight_drop={module.weight_drop}: dropped weights are kept in training too, and are not counted")
    return tuple(notes)


def _program(module: Any) -> Program:
    """The equations of a recurrent module of torch."""
    kind = getattr(module, "mode", None) or _class_name(module).removesuffix("Cell")
    cell = {"LSTM": lstm, "GRU": gru}.get(kind, rnn)
    options = {}
    if cell is rnn:
        is_relu = kind == "RNN_RELU" or getattr(module, "nonlinearity", "tanh") == "relu"
        options = {"nonlinearity": relu if is_relu else tanh}
    program = trace(cell, options, projected=getattr(module, "proj_size", 0) > 0)
    return program if module.bias else drop_biases(program)


def _class_name(module: nn.Module) -> str:
    """The name of the class of torch that a module is of, or inherits from."""
    for kind in (nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        if isinstance(module, kind):
            return kind.__name__
    return str(getattr(module, "original_name", type(module).__name__))
