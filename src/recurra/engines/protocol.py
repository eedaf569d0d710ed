"""The interface of engines: what they must offer, what they may offer, and the data that goes in and out.

An engine needs two classes with two methods each:

- ``Engine.refuses`` says why it cannot run a plan, and ``Engine.build`` turns a plan into a kernel;
- ``Kernel.forward`` runs the plan over sequences, and ``Kernel.backward`` returns the gradients.

All other methods are optional: faster ways to do the same, each with a default. Their results follow in the second half
of this file: ``Passes``, ``Direct`` and ``Layers``; or they have files of their own, as ``Stepper`` in ``stepper.py``.

In shapes, T is the number of steps, batch the number of sequences, and input or size a number of features. *steps*
stands for (T, batch) in a dense batch, and for (rows) in a packed one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from recurra.compiler import Plan
from recurra.engines.cross_entropy import LinearNats
from recurra.engines.stepper import Stepper
from recurra.engines.steps import StepMaker
from recurra.program import Products, Sizes

if TYPE_CHECKING:
    from types import ModuleType

Array = Any  # a numpy array or a torch tensor; all arrays of one call share library, dtype and device
DType = str  # a dtype's name, the same in numpy and torch: "float32", "float64", "bfloat16", "float16"
Device = str  # a kind of device, by torch's name: "cpu", "cuda", "mps" …; numpy's arrays are on the "cpu"

HALF = ("bfloat16", "float16")


@dataclass(frozen=True)
class Call:
    """Arguments of one run of a plan over sequences.

    A dense batch has x of shape (T, batch, input). A packed batch has the rows of all steps one after the other: the
    first ``batch_sizes[0]`` rows are step 0, and so on, as in torch's packed sequences.

    Attributes:
        x: the input, (steps, input).
        batch_sizes: the number of rows of each of the T steps, never increasing; None for a dense batch.
        states: the first value of each state, (batch, size). The batch may be larger than every batch size: the
            further sequences have no steps. Empty for a program without states, whose batch is dense.
        parameters: in the program's order.
        sizes: the values of the program's symbols.
        masks: the values of each random mask of the program, (steps, size).
        reset: bool, (steps), True where states are set to zero before the step; None for nowhere.
        reverse: whether the run goes from the last step to the first.
        packed: the result of the kernel's ``pack`` for these parameters; None where they may have changed.
    """

    x: Array
    batch_sizes: Sequence[int] | Array | None
    states: Sequence[Array]
    parameters: Sequence[Array]
    sizes: Sizes
    masks: Sequence[Array] = ()
    reset: Array | None = None
    reverse: bool = False
    packed: object = None


@dataclass(frozen=True)
class Wishes:
    """Demands of a backward pass that will follow. They decide what the forward pass keeps.

    Attributes:
        wanted: whether the gradient is wanted: of x, then of each state, then of each parameter.
        given: whether a gradient may arrive: at the output, then at each traced variable.
        keep_products: whether the forward pass keeps the results of products. If not, the backward pass computes them
            again, which takes less memory and more time (``saved.keeps_products`` decides).
    """

    wanted: tuple[bool, ...]
    given: tuple[bool, ...] = (True,)
    keep_products: bool = True


@dataclass(frozen=True)
class Result:
    """Results of one run of a plan.

    Attributes:
        output: (steps, size).
        states: the last value of each state, (batch, size).
        traced: the values of traced variables by name, (steps, size); a scalar has size 1.
        kept: saved for the backward pass; opaque to everyone but the kernel.
    """

    output: Array
    states: tuple[Array, ...]
    traced: Mapping[str, Array] = field(default_factory=dict)
    kept: tuple[Array, ...] = ()


class Kernel(ABC):
    """A plan made executable by one engine.

    Attributes:
        plan: the plan that it runs.
    """

    plan: Plan

    @abstractmethod
    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences.

        Args:
            call: the arguments.
            wishes: demands of the backward pass, for which the result keeps what is needed; None if none follows.
        """

    @abstractmethod
    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted.

        Args:
            call: the arguments of the forward pass.
            result: the result of the forward pass; its states and traced variables may be left out.
            wishes: the same as in the forward pass.
            arriving: the gradients of the variables that may have one (``wishes.given``), shaped as these are; None
                for zeros.
            last: the gradient of each last state, (batch, size); None for zeros.
        """

    def repeated(self, call: Call, into: Result) -> Callable[[], None] | None:
        """Return a function that runs a call on what its numpy arrays hold then, and writes ``into``. Default: None."""
        return None

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """Return the shapes of ``Result.kept`` for an x with these leading dimensions. Default: nothing is kept."""
        return []

    def pack(self, parameters: Sequence[Array], sizes: Sizes, dtype: DType) -> object:
        """Prepare constant parameters once, as ``Call.packed`` of calls of these sizes. Default: None, nothing."""
        return None

    def passes(self, sizes: Sizes, dtype: DType, reverse: bool, wishes: Wishes, layer_states: bool) -> Passes | None:
        """Return both passes at these sizes, for a node of autograd. Default: None; ``passes.CallPasses`` is used.

        Args:
            sizes: the values of the program's symbols.
            dtype: of all arrays.
            reverse: whether the run goes from the last step to the first.
            wishes: demands of the backward pass.
            layer_states: whether states are (1, batch, size) instead of (batch, size).
        """
        return None


class Engine(ABC):
    """Turns plans into kernels.

    Attributes:
        name: the name that users write.
        is_recorded: whether the kernels consist of torch's own operations, so that autograd records them by itself.
        resets: whether the kernels can reset states within a sequence (``Call.reset``).
    """

    name: str
    is_recorded: ClassVar[bool] = False
    resets: ClassVar[bool] = True

    @abstractmethod
    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Return why the engine cannot run a plan on arrays of this dtype and device; None if it can.

        Without a plan, return why it cannot run any plan.
        """

    @abstractmethod
    def build(self, plan: Plan) -> Kernel:
        """Return the kernel of a plan; equal plans give the same kernel."""

    def join(self, library: ModuleType) -> None:
        """Prepare for arrays of a library, torch; called once, when it has been imported. Default: do nothing."""
        return

    def computes_in(self, dtype: DType) -> DType:
        """Return the dtype of the arrays that kernels receive for tensors of a dtype.

        Default: half precision is widened to float32, and the results are rounded once.
        """
        return "float32" if dtype in HALF else dtype

    def direct(
        self,
        library: ModuleType,
        scans: Sequence[ScanSpec],
        names: Sequence[Sequence[str]],
        directions: int,
        is_cell: bool,
        dtype: DType,
    ) -> Direct | None:
        """Return a module's direct calls. Default: None, all calls take the checked way.

        Args:
            library: torch.
            scans: layer by layer, the directions of a layer beside each other.
            names: the names of each scan's parameters in the module.
            directions: scans of each layer.
            is_cell: whether x is one step, and the result the new states alone.
            dtype: of all tensors.
        """
        return None

    def layers(self, scans: Sequence[ScanSpec], directions: int) -> Layers | None:
        """Return all scans of a module as one call. Default: None, they run one by one.

        Args:
            scans: layer by layer, the directions of a layer beside each other.
            directions: scans of each layer.
        """
        return None

    def flatten(self, scans: Sequence[ScanSpec], directions: int, parameters: Sequence[Array]) -> None:
        """Move a module's parameters to where the kernels want them in memory. Default: they stay.

        Args:
            scans: layer by layer, the directions of a layer beside each other.
            directions: scans of each layer.
            parameters: of all scans, in order.
        """
        return

    def stepper(self, scans: Sequence[StepScan], table: Array | None, batch: int, dtype: Any) -> Stepper | None:
        """Return scans in a row that run one step at a time. Default: None; each step is a sequence of length 1.

        Args:
            scans: all forwards, each over the output of the one before.
            table: (tokens, features), where x is looked up first; None where x is numbers.
            batch: the number of sequences.
            dtype: of all arrays, a dtype of numpy.
        """
        return None

    def step_maker(self) -> StepMaker | None:
        """Return what makes steps of arrays that stay, for graphs. Default: None."""
        return None

    def linear_nats(self) -> LinearNats | None:
        """Return the engine's fused cross-entropy. Default: None."""
        return None


# ---- results of the optional methods ----


@dataclass(frozen=True)
class ScanSpec:
    """One layer in one direction, as an engine is told of it.

    Attributes:
        plan: the plan to run.
        sizes: the values of the program's symbols.
        reverse: whether the run goes from the last step to the first.
        compute: the precision of its products; None where the context says it.
    """

    plan: Plan
    sizes: Sizes
    reverse: bool = False
    compute: Products | None = None

    @property
    def output_size(self) -> int:
        """Features of the output."""
        return self.plan.program.output.width(self.sizes)

    @property
    def state_sizes(self) -> list[int]:
        """Features of each state."""
        return [state.width(self.sizes) for state in self.plan.program.states]

    @property
    def parameter_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each parameter, in the program's order."""
        return [tuple(size.value(self.sizes) for size in p.shape) for p in self.plan.program.parameters]


class Passes(Protocol):
    """A forward pass and the backward pass that follows it, as a node of autograd calls them (``Kernel.passes``).

    ``others`` are the first states (None for zeros), then the parameters. A dense x is (T, batch, input); one step of a
    cell is (batch, input). With ``batch_sizes``, int64 (T,) on the CPU, x is packed, (rows, input). States are
    (batch, size), or (1, batch, size) if the passes were made with ``layer_states``.
    """

    def forward(
        self,
        x: Array,
        others: Sequence[Array | None],
        masks: Sequence[Array],
        batch_sizes: Array | None,
        reset: Array | None,
        threads: int,
    ) -> tuple[Any, ...]:
        """Return what is kept (an array or a tuple of arrays), the output, the last states, the traced variables.

        Args:
            x: the input.
            others: the first states, then the parameters.
            masks: the values of each random mask, (steps, size).
            batch_sizes: the number of rows of each step; None for a dense batch or a cell.
            reset: bool, (steps), True where states are set to zero before the step; None for nowhere.
            threads: the maximum number of threads.
        """
        ...

    def backward(
        self,
        needed: Sequence[bool],
        saved: Sequence[Any],
        gradients: Sequence[Array | None],
        batch_sizes: Array | None,
        reset: Array | None,
        threads: int,
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not needed.

        Args:
            needed: whether each of them is needed; at most those that the passes were made for.
            saved: x, the others, the output, what was kept, the masks.
            gradients: of the output, of the last states, of the traced variables; None for zeros.
            batch_sizes: of the forward pass.
            reset: of the forward pass.
            threads: the maximum number of threads.
        """
        ...


class Direct(Protocol):
    """A module's calls on plain tensors in dense batches: the shortest way from a module to a kernel.

    Attributes:
        general: the answer of ``run`` if something is not plain; the checked way must run the call.
        autograd: the answer of ``run`` if all is plain and gradients are wanted; the scans must run one by one, each as
            a node of autograd.
    """

    general: object
    autograd: object

    def run(
        self,
        x: object,
        given: object,
        parameters: Mapping[str, Any],
        batch_first: bool,
        differentiate: bool,
        has_dropout: bool,
        threads: int,
        packed: object,
    ) -> Any:
        """Return a layer's output and last states, or a cell's new states; or ``general``, or ``autograd``.

        Args:
            x: the module's input.
            given: the module's states, None for zeros.
            parameters: the module's parameters by name.
            batch_first: whether x and output are (batch, T, features).
            differentiate: whether gradients are recorded.
            has_dropout: whether dropout acts between layers.
            threads: the maximum number of threads.
            packed: the result of ``pack``; None where parameters may have changed.
        """
        ...

    def pack(self, parameters: Mapping[str, Any]) -> object:
        """Prepare constant parameters once; None if one of them is not as the module made it."""
        ...

    def passes(self, number: int, wishes: Wishes) -> Passes:
        """Return both passes of the scan of this number."""
        ...


class Layers(Protocol):
    """All layers and directions of a module in one call, with dropout between layers."""

    def __call__(
        self,
        x: Array,
        batch_sizes: Array | None,
        states: Sequence[Array],
        parameters: Sequence[Sequence[Array]],
        dropout: float,
    ) -> tuple[Array, list[Array]]:
        """Return the last layer's output, (steps, directions * size), and the last value of each state.

        Args:
            x: (T, batch, input); with ``batch_sizes`` packed, (rows, input).
            batch_sizes: int64 (T,) on the CPU; None for a dense batch.
            states: the first value of each state, (layers * directions, batch, size).
            parameters: of each scan, in its program's order.
            dropout: the probability of zeroing an element of the output of each layer but the last.
        """
        ...


@dataclass(frozen=True)
class StepScan:
    """One of the scans in a row that a stepper runs.

    Attributes:
        spec: the scan.
        parameters: the scan's weights.
        packed: the result of the kernel's ``pack`` for them.
        masks: the width and the value of each random mask.
    """

    spec: ScanSpec
    parameters: Sequence[Array]
    packed: object
    masks: Sequence[tuple[int, float]]
