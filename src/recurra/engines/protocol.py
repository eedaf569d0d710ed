"""What a front asks of an engine, and what goes in and out of a kernel.

An engine says what it refuses, and builds kernels. A kernel runs its plan forward, and backward through the plan's
derivative. Everything else here is optional, and has a default that does it through these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from recurra.compiler import Plan
from recurra.program import Sizes

if TYPE_CHECKING:
    from types import ModuleType

Array = Any  # a numpy array or a torch tensor; all arrays of one call are of one library, dtype and device
DType = str  # a dtype's name, the same in numpy and torch: "float32", "float64", "bfloat16", "float16"
Device = str  # a kind of device, by torch's name: "cpu", "cuda", "mps" …; numpy's arrays are on the "cpu"

HALF = ("bfloat16", "float16")


@dataclass(frozen=True)
class Call:
    """One run of a plan over sequences.

    A dense batch has x (T, batch, input). Packed, all steps lie one after the other as rows: the first
    ``batch_sizes[0]`` rows are step 0, and so on, as in torch's packed sequences. Below, *steps* stands for
    (T, batch) or (rows).

    Attributes:
        x: (steps, input).
        batch_sizes: rows of each of T steps, never increasing; None for a dense batch.
        states: for each state the first one, (batch, size), batch ≥ every batch size; none for a program without
            states, whose batch is dense.
        parameters: in the program's order.
        sizes: the numbers of the program's symbols.
        masks: for each random mask of the program its values, (steps, size).
        reset: bool (steps), True where the states are zero before the step; None for nowhere.
        reverse: whether the last step comes first.
        packed: what the kernel's ``pack`` gave for these parameters; None where they may have changed.
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
    """What a backward pass will be asked for: it decides what the forward pass keeps.

    Attributes:
        wanted: of x, then of each state, then of each parameter: whether its gradient is wanted.
        given: of the output, then of each traced variable: whether a gradient may arrive there.
        keep_products: whether the forward pass keeps the results of its products, which makes the backward pass
            faster; else they are computed again, which takes less memory (``saved.keeps_products``).
    """

    wanted: tuple[bool, ...]
    given: tuple[bool, ...] = (True,)
    keep_products: bool = True


@dataclass(frozen=True)
class Result:
    """What a run gives.

    Attributes:
        output: (steps, size).
        states: for each state the last one of every sequence, (batch, size).
        traced: what the plan traces, by name: (steps, size); a scalar has size 1.
        kept: saved for the backward pass; opaque to everyone but the kernel.
    """

    output: Array
    states: tuple[Array, ...]
    traced: Mapping[str, Array] = field(default_factory=dict)
    kept: tuple[Array, ...] = ()


class Passes(Protocol):
    """A forward pass and the backward pass that follows it, as a node of autograd calls them.

    ``others`` are the first states, None for zeros, then the parameters. A dense x is (T, batch, input), and of a
    single cell's step (batch, input); with ``batch_sizes``, int64 (T,) on the CPU, it is packed rows (rows, input).
    States are (batch, size), or (1, batch, size) where the passes were made for a layer's states.
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
        """What is kept (an array, or a tuple of some), the output, the last states, what is traced."""
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
        """The gradients of x, of each state and of each parameter.

        Args:
            needed: which of them are needed; at most those that the passes were made for.
            saved: x, the others, the output, what was kept, and the masks.
            gradients: of the output, the last states, and of what is traced; None for zeros.
            batch_sizes: of the forward pass.
            reset: of the forward pass.
            threads: the most that may be used.
        """
        ...


class Kernel(ABC):
    """A plan made executable by one engine."""

    plan: Plan

    @abstractmethod
    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over whole sequences; with ``wishes`` the result keeps what that backward pass needs."""

    @abstractmethod
    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """The gradients of x, of each state and of each parameter; None where they are not wanted.

        Args:
            call: of the forward pass.
            result: what it gave; its states and what it traced may be left out.
            wishes: what the forward pass was told.
            arriving: gradients of the variables that may have one (``wishes.given``), laid out as the output; None
                for zeros.
            last: the gradient of each last state; None for zeros.
        """

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """The shapes of ``Result.kept`` for a call whose x is (leading, input). Default: nothing is kept."""
        return []

    def pack(self, parameters: Sequence[Array], sizes: Sizes, dtype: DType) -> object:
        """Parameters that stay as they are, made ready once for calls of these sizes without a backward pass.

        Default: None, as nothing is gained.
        """
        return None

    def passes(self, sizes: Sizes, dtype: DType, reverse: bool, wishes: Wishes, layer_states: bool) -> Passes | None:
        """Both passes at these sizes, for autograd's node. Default: None, for ``passes.CallPasses`` does.

        Args:
            sizes: the numbers of the program's symbols.
            dtype: of all arrays.
            reverse: whether the last step comes first.
            wishes: what the backward pass will be asked for.
            layer_states: whether states are (1, batch, size) instead of (batch, size).
        """
        return None


@dataclass(frozen=True)
class ScanSpec:
    """One layer in one direction, as an engine is told of it.

    Attributes:
        plan: what runs.
        sizes: the numbers of the program's symbols.
        reverse: whether the last step comes first.
    """

    plan: Plan
    sizes: Sizes
    reverse: bool = False

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


class Direct(Protocol):
    """A whole module's calls on the tensors of a library, dense sequences of plain tensors: the shortest way.

    Attributes:
        general: the answer of ``run`` where something is not plain: the way that checks everything has to run it.
        autograd: its answer where all is plain and gradients are wanted: scan by scan, each a node of autograd.
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
        """The layer's output and last states, or a cell's new states; or ``general`` or ``autograd``.

        Args:
            x: the module's input.
            given: its states, None for zeros.
            parameters: the module's, by name.
            batch_first: whether x and output are (batch, T, features).
            differentiate: whether gradients are recorded.
            has_dropout: whether something is zeroed between layers.
            threads: the most that may be used.
            packed: what ``pack`` gave; None where parameters may have changed.
        """
        ...

    def pack(self, parameters: Mapping[str, Any]) -> object:
        """The parameters made ready once; None where one of them is not as the module made it."""
        ...

    def passes(self, number: int, wishes: Wishes) -> Passes:
        """Both passes of a scan."""
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
        """The last layer's output, (steps, directions * size), and the last states.

        Args:
            x: (T, batch, input), or with ``batch_sizes`` packed rows.
            batch_sizes: int64 (T,) on the CPU; None for a dense batch.
            states: the first ones, (layers * directions, batch, size).
            parameters: of each scan, in its program's order.
            dropout: the probability of zeroing an element of the output of each layer but the last.
        """
        ...


@dataclass(frozen=True)
class StepScan:
    """One of several scans that a stepper runs one after the other.

    Attributes:
        spec: what runs.
        parameters: its weights.
        packed: what the kernel's ``pack`` gave for them.
        masks: width and value of each random mask.
    """

    spec: ScanSpec
    parameters: Sequence[Array]
    packed: object
    masks: Sequence[tuple[int, float]]


class Stepper(Protocol):
    """Steps of some sequences, with their states inside."""

    def step(self, x: Any) -> Array:
        """(batch, input), or tokens (batch,); of one sequence also (input,), or a token: the output, likewise."""
        ...

    def states(self) -> list[Array]:
        """A copy of every scan's states, (batch, size)."""
        ...

    def set_states(self, states: list[Array]) -> None:
        """Take the numbers of what ``states`` gave."""
        ...

    def reset(self, rows: list[int]) -> None:
        """Zero the states of these sequences."""
        ...


class Engine(ABC):
    """Turns plans into kernels.

    Attributes:
        name: what users call it.
        is_recorded: whether its kernels are made of torch's own operations, so that autograd records them by itself.
        resets: whether its kernels set states to zero where a call says so (``Call.reset``).
    """

    name: ClassVar[str]
    is_recorded: ClassVar[bool] = False
    resets: ClassVar[bool] = True

    @abstractmethod
    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Why the engine cannot run a plan on arrays of this dtype and device; None if it can.

        Without a plan: why it can run none at all.
        """

    @abstractmethod
    def build(self, plan: Plan) -> Kernel:
        """The kernel of a plan; equal plans give the same kernel."""

    def join(self, library: ModuleType) -> None:
        """Called once, when a library whose arrays will come is there. Default: nothing to do.

        Args:
            library: torch.
        """
        return

    def computes_in(self, dtype: DType) -> DType:
        """The dtype of the arrays that kernels are given for tensors of a dtype.

        Default: half precision is widened to float32, and results are rounded once.
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
        """A module's direct calls. Default: there are none.

        Args:
            library: torch.
            scans: layer by layer, the directions of a layer beside each other.
            names: of each scan's parameters in the module.
            directions: scans of each layer.
            is_cell: whether x is one step, and the result the new states alone.
            dtype: of all tensors.
        """
        return None

    def layers(self, scans: Sequence[ScanSpec], directions: int) -> Layers | None:
        """All scans of a module in one call. Default: None; they run one by one."""
        return None

    def flatten(self, scans: Sequence[ScanSpec], directions: int, parameters: Sequence[Array]) -> None:
        """Move a module's parameters to where the engine's kernels want them in memory. Default: they stay.

        Args:
            scans: layer by layer.
            directions: scans of each layer.
            parameters: of all scans, in order.
        """
        return

    def stepper(self, scans: Sequence[StepScan], table: Array | None, batch: int, dtype: Any) -> Stepper | None:
        """Scans one after the other, one step at a time. Default: None; steps are sequences of length 1.

        Args:
            scans: forwards, each over the output of the one before.
            table: (tokens, features), looked up first; None where x is numbers.
            batch: how many sequences.
            dtype: numpy's, of all arrays.
        """
        return None
