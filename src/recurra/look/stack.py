"""Builds the facts of an explanation: from a cell's program, its sizes and the layout of its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recurra.compiler import plan
from recurra.compiler.rewrite import users
from recurra.look.batch_form import BatchForm
from recurra.look.costs import KeptBytes, TrainingFacts, kept, multiplications
from recurra.look.dimensions import Dimension, NamedShape, of_sizes
from recurra.look.explained import ExplainedLayer, ExplainedParameter, ExplainedStack, ExplainedVariable
from recurra.look.layer_sizes import LayerPlace, LayerSizes
from recurra.look.meanings import meanings
from recurra.look.provenance import Origins, cuts, purpose
from recurra.look.relations import relations
from recurra.program import Program, Size, Variable
from recurra.program.text import Printer

_TIMES = (
    "once per call",
    "before the time loop, all steps at once",
    "in every step",
    "after the time loop, all steps at once",
)
_TIMES_OF_A_CELL = (
    "parameters alone",
    "no state needed: a layer computes it for all steps at once",
    "in every step",
    "no state depends on it: a layer computes it for all steps at once",
)


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Attributes:
        title: the target as Python shows it.
        program: the equations of a step.
        sizes: the numbers; None for a cell alone.
        form: the layout of its input.
        training: what decides about the bytes kept in training.
        notes: further remarks.
    """

    title: str
    program: Program
    sizes: LayerSizes | None = None
    form: BatchForm = field(default_factory=BatchForm)
    training: TrainingFacts = field(default_factory=TrainingFacts)
    notes: tuple[str, ...] = ()

    @property
    def is_cell(self) -> bool:
        """Whether it is one step."""
        return self.sizes is None or self.training.is_cell


def explained_stack(subject: Subject) -> ExplainedStack:
    """The facts about a cell or a layer."""
    bytes_kept = None if subject.sizes is None else kept(subject.sizes, subject.form, subject.training)
    builder = _StackFacts(subject, bytes_kept)
    notes = subject.notes
    if subject.sizes is not None and subject.sizes.learned_count:
        notes += (f"{subject.sizes.learned_count:,} parameters besides are the learned first states",)
    layer_relations = None
    if subject.sizes is not None and not subject.is_cell:
        layer_relations = relations(subject.sizes, subject.form)
    return ExplainedStack(
        subject.title,
        subject.program,
        subject.sizes,
        subject.form,
        subject.is_cell,
        () if subject.is_cell else builder.sequences(),
        builder.layers(),
        _equations(subject.program, _TIMES_OF_A_CELL if subject.is_cell else _TIMES),
        layer_relations,
        None if bytes_kept is None else bytes_kept.between,
        subject.training.computed_item,
        notes,
    )


def _equations(program: Program, times: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The equations after the passes, and the time at which each runs."""
    scheduled = plan(program)
    printer = Printer(scheduled.program, scheduled.stages)
    stages = zip(times, scheduled.stages, strict=True)
    return tuple((text, when) for when, equations in stages for text, _ in printer.lines(equations))


class _StackFacts:
    def __init__(self, subject: Subject, bytes_kept: KeptBytes | None) -> None:
        self.subject, self.program, self.form = subject, subject.program, subject.form
        self.kept = bytes_kept
        self.words = meanings(subject.program)
        self.origins = Origins(subject.program)
        self.cuts = cuts(subject.program, self.origins)
        self.readers = users(subject.program)
        self.varying = subject.program.varying()

    # ---- all steps ----

    def sequences(self) -> tuple[ExplainedVariable, ...]:
        """Input, first states, output and last states of a layer."""
        sizes = self.subject.sizes
        assert sizes is not None
        program, leading = self.program, self.form.leading(sizes.batch_first)
        directions = sizes.num_directions
        packed = ": the data, packed" if self.form.is_packed else ""
        source = (*leading, Dimension("input", sizes.input_size))
        rows = [ExplainedVariable("input", f"the sequences{packed}", source)]
        for each in program.further_inputs:
            size = Dimension(str(each.size), each.size.value(sizes.places[0].sizes))
            default = "" if each.default is None else f"; {each.default:g} by default"
            rows.append(ExplainedVariable(each.name, f"the input {each.name}{packed}{default}", (*leading, size)))
        states = []
        for number, state in enumerate(program.states):
            for layer in range(sizes.num_layers) if sizes.arrangement.by_layer else (None,):
                count = Dimension("layers*directions", len(sizes.places))
                if layer is not None:
                    count = Dimension("directions", directions)
                width = Dimension(str(state.shape[0]), sizes.state_sizes(layer or 0)[number])
                states.append((state.name, "" if layer is None else f"[{layer}]", (count, *self.form.states, width)))
        default = "learned" if sizes.learn_initial_state else "zeros"
        rows += [
            ExplainedVariable(f"{name}_0{level}", f"{name} before the first step; {default} by default", shape)
            for name, level, shape in states
        ]
        one = str(program.output.shape[-1] * sizes.arrangement.width(1))
        new = dict(zip(program.next_states, program.states, strict=True))
        shown = new.get(program.output, program.output).name
        of_layer = f" of layer {sizes.num_layers - 1}" if sizes.num_layers > 1 else ""
        beside = self._merged if directions == 2 else " at every step"
        if sizes.adds_input[-1]:
            beside += ", plus its input"
        shape = (*leading, Dimension(one, sizes.output_size))
        rows.append(ExplainedVariable("output", f"{shown}{of_layer}{beside}{packed}", shape))
        rows += [
            ExplainedVariable(f"{name}_n{level}", f"{name} after the last step that is read", shape)
            for name, level, shape in states
        ]
        return tuple(rows)

    # ---- one layer ----

    def layers(self) -> tuple[ExplainedLayer, ...]:
        """Every layer in every direction; for a cell its one step."""
        sizes = self.subject.sizes
        if sizes is None:
            return (self._layer(None),)
        return tuple(self._layer(place) for place in sizes.places)

    def _layer(self, place: LayerPlace | None) -> ExplainedLayer:
        costs = None if place is None else multiplications(self.program, place.sizes)
        parameters = () if self._is_tied(place) else self.program.parameters
        return ExplainedLayer(
            self._title(place),
            place,
            tuple(self._variable(v, place) for v in self._shown()),
            tuple(self._parameter(parameter, place) for parameter in parameters),
            None if costs is None else costs.per_step,
            0 if costs is None else costs.per_call,
            None if self.kept is None or place is None else self.kept.scans[place.number],
        )

    def _title(self, place: LayerPlace | None) -> str:
        if self.subject.is_cell or place is None:
            return "one step"
        direction = ("", ", backward" if place.is_backward else ", forward")[self._directions == 2]
        return f"layer {place.layer}{direction}" + ", by the weights of forward" * self._is_tied(place)

    def _is_tied(self, place: LayerPlace | None) -> bool:
        """Whether a place has the weights of the direction before it."""
        sizes = self.subject.sizes
        return place is not None and sizes is not None and sizes.tie_directions and place.is_backward

    @property
    def _directions(self) -> int:
        return 1 if self.subject.sizes is None else self.subject.sizes.num_directions

    @property
    def _merged(self) -> str:
        """What becomes of the outputs of two directions, in words."""
        mode = "concat" if self.subject.sizes is None else self.subject.sizes.merge_mode
        return {
            "concat": ", forward beside backward",
            "sum": ", forward plus backward",
            "mul": ", forward times backward",
            "ave": ", the mean of forward and backward",
        }[mode]

    def _shown(self) -> list[Variable]:
        """The variables that are no parameters and have a name."""
        parameters = set(self.program.parameters)
        inputs = self.program.named_inputs
        return [*inputs, *(v for v in self.program.variables() if v.is_named and v not in {*parameters, *inputs})]

    def _dimensions(self, variable: Variable, place: LayerPlace | None) -> NamedShape:
        named: dict[str, Size] = {}
        sizes = self.subject.sizes
        if place is not None and place.layer > 0 and sizes is not None and not sizes.arrangement.by_layer:
            named["input"] = self.program.output.shape[-1] * sizes.arrangement.width(1)  # the output of the layer below
        shape = of_sizes(variable.shape, None if place is None else place.sizes, named)
        if variable not in self.varying:
            return shape
        if not self.form.is_batched:
            return shape
        batch = Dimension("batch_sizes[t]", None) if self.form.is_packed else Dimension("batch", self.form.batch)
        return (batch, *shape)

    def _variable(self, variable: Variable, place: LayerPlace | None) -> ExplainedVariable:
        words = self.words[variable.name]
        return ExplainedVariable(
            variable.name, words, self._dimensions(variable, place), self._origins(variable, place)
        )

    def _origins(self, variable: Variable, place: LayerPlace | None) -> tuple[str, ...]:
        """Where a variable comes from, in words or as the pieces of Python that it reads."""
        first, *others = self.program.named_inputs
        if variable is first:
            return (self._origin_of_input(place),)
        if variable in others:
            return ("the argument" if self.subject.is_cell or place is None else self._at_step(variable.name),)
        if variable in self.program.states:
            return (self._origin_of_state(variable, place),)
        suffix = "" if place is None or self.subject.is_cell else place.suffix
        parameters = set(self.program.parameters)
        sizes = None if place is None else place.sizes
        origins = self.origins.of[variable]
        return tuple(o.text(sizes, suffix if o.variable in parameters else "") for o in origins) or ("chance",)

    def _origin_of_input(self, place: LayerPlace | None) -> str:
        if self.subject.is_cell or place is None:
            return "the argument"
        if place.layer > 0:
            beside = self._merged if self._directions == 2 else ""
            if self.subject.sizes is not None and self.subject.sizes.adds_input[place.layer - 1]:
                beside += ", plus its input"
            return f"output of layer {place.layer - 1} at this step{beside}"
        return self._at_step("input")

    def _at_step(self, name: str) -> str:
        """One step of an input of the layer."""
        if self.form.is_packed:
            return f"{name}, the rows of step t"
        batch_first = self.subject.sizes is not None and self.subject.sizes.batch_first and self.form.is_batched
        return f"{name}[:, t]" if batch_first else f"{name}[t]"

    def _origin_of_state(self, state: Variable, place: LayerPlace | None) -> str:
        if self.subject.is_cell or place is None:
            return "the argument; zeros if not given"
        new = self.program.next_states[self.program.states.index(state)].name
        step = "t+1" if place.is_backward else "t-1"
        start = "the last step" if place.is_backward else "step 0"
        return f"{new} of step {step}; at {start} {state.name}_0{place.index}"

    def _parameter(self, parameter: Variable, place: LayerPlace | None) -> ExplainedParameter:
        sizes = None if place is None else place.sizes
        suffix = "" if place is None or self.subject.is_cell else place.suffix
        pieces = []
        for piece, readers in self.cuts.get(parameter, {}).items():
            begin, end = (piece.begin, piece.end) if sizes is None else piece.numbers(sizes)
            columns = ":, " if piece.axis == -1 and len(parameter.shape) == 2 else ""
            pieces.append((f"[{columns}{begin}:{end}]", ", ".join(purpose(reader, self.readers) for reader in readers)))
        return ExplainedParameter(
            parameter.name + suffix,
            self.words[parameter.name],
            self._dimensions(parameter, place),
            count=None if sizes is None else parameter.width(sizes),
            pieces=tuple(pieces),
        )
