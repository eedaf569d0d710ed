"""The native module: the engine's kernels, and the facts about this machine that they need (native/module.cpp)."""

import enum
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

class _Cpu(TypedDict):
    architecture: str
    features: list[str]

class PreparedFloat32:
    @property
    def nbytes(self) -> int: ...

class PreparedFloat64:
    @property
    def nbytes(self) -> int: ...

class Kernel:
    def run(self, words: list[int], prepared: PreparedFloat32 | PreparedFloat64 | None) -> None: ...
    def prepare(self, words: list[int], compact: bool = False) -> PreparedFloat32 | PreparedFloat64: ...

class Space(enum.IntEnum):
    CONSTANT = ...
    CHUNK = ...
    STEP = ...
    STATE = ...
    NEXT = ...
    PARAMETER = ...
    INPUT = ...
    OUTPUT = ...
    BLOCK = ...
    LITERAL = ...

class Instruction(enum.IntEnum):
    ELEMENTWISE = ...
    PRODUCT = ...
    REDUCE = ...
    CUMULATE = ...
    MOVE = ...
    OUTER = ...
    ROWS_SUM = ...
    GATHER = ...
    EYE = ...
    TOTAL = ...
    PREVIOUS = ...

class Way(enum.Enum):
    general = ...
    autograd = ...

class TensorLayers:
    def __init__(
        self, scans: list[tuple[Kernel, list[str], list[list[int]], bool]], directions: int, is_cell: bool
    ) -> None: ...
    def run(
        self,
        x: object,
        given: object,
        parameters: dict[str, Any],
        batch_first: bool,
        differentiate: bool,
        has_dropout: bool,
        threads: int,
        prepared: list[PreparedFloat32 | PreparedFloat64] | None,
    ) -> Any: ...

class TensorScan:
    def __init__(
        self,
        forward: Kernel,
        backward: Kernel | None,
        is_reverse: bool,
        layer_states: bool,
        parameter_shapes: list[list[int]],
        traced: int,
        rows: list[tuple[int, int]] = [],
        constants: list[int] = [],
        carried: list[int] = [],
        entering: list[int] = [],
        results: list[int] = [],
    ) -> None: ...
    def forward(
        self,
        x: object,
        others: Sequence[Any],
        masks: Sequence[Any],
        batch_sizes: object,
        reset: object,
        threads: int,
        prepared: PreparedFloat32 | PreparedFloat64 | None = None,
    ) -> tuple[Any, ...]: ...
    def backward(
        self,
        needed: Sequence[bool],
        saved: Sequence[Any],
        gradients: Sequence[Any],
        batch_sizes: object,
        reset: object,
        threads: int,
    ) -> list[Any]: ...

class Stream:
    def step(self, x: Any) -> Any: ...
    def states(self) -> list[Any]: ...
    def set_states(self, states: list[Any]) -> None: ...
    def reset(self, rows: list[int]) -> None: ...

def stream(
    scans: list[tuple[Kernel, PreparedFloat32 | PreparedFloat64, list[tuple[int, float]], int]],
    table: Any,
    batch: int,
    threads: int,
    is_double: bool,
    empty: Callable[..., Any],
    dtype: Any,
) -> Stream: ...

class Step:
    def keep(self, object: object) -> None: ...
    @property
    def nbytes(self) -> int: ...

class Steps:
    def __init__(self, steps: list[Step]) -> None: ...
    def run(self) -> None: ...

def convolution_step(
    x: object,
    weights: object,
    bias: object,
    y: object,
    groups: int,
    strides: tuple[int, int],
    dilations: tuple[int, int],
    before: tuple[int, int],
    after: tuple[int, int],
    operations: list[int],
    literals: list[float],
    threads: int,
) -> Step: ...
def pooling_step(
    x: object,
    counts: object,
    y: object,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    before: tuple[int, int],
    after: tuple[int, int],
    threads: int,
) -> Step: ...
def elementwise_step(arrays: list[Any], operations: list[int], literals: list[float], threads: int) -> Step: ...

class IntegerMatrix:
    @property
    def nbytes(self) -> int: ...

def integer_matrix(b: object, zeros: object, isa: str = "") -> IntegerMatrix: ...

class ResultArrays:
    def __init__(
        self,
        a_scale: object,
        b_scale: object,
        bias: object,
        added: object,
        y_scale: object,
        y_zero: object,
        is_rectified: bool,
    ) -> None: ...

def integer_product_step(
    matrix: IntegerMatrix, a: object, zero: object, y: object, arrays: ResultArrays, threads: int
) -> Step: ...
def integer_convolution_step(
    x: object,
    zero: object,
    weights: object,
    zeros: object,
    y: object,
    groups: int,
    strides: tuple[int, int],
    dilations: tuple[int, int],
    before: tuple[int, int],
    after: tuple[int, int],
    arrays: ResultArrays,
    threads: int,
    isa: str = "",
) -> Step: ...
def quantization_step(x: object, y: object, scale: object, zero: object, threads: int, isa: str = "") -> Step: ...
def dequantization_step(x: object, y: object, scale: object, zero: object, threads: int, isa: str = "") -> Step: ...
def dynamic_quantization_step(
    x: object, y: object, scale: object, zero: object, threads: int, isa: str = ""
) -> Step: ...
def table_step(x: object, y: object, table: object, threads: int) -> Step: ...
def byte_operations_step(
    inputs: Sequence[tuple[object, object, object]],
    y: object,
    scale: object,
    zero: object,
    operations: Sequence[int],
    literals: Sequence[float],
    threads: int,
    isa: str = "",
) -> Step: ...
def copying_step(from_: object, to: object, threads: int) -> Step: ...
def kernel_step(kernel: Kernel, words: list[int], prepared: PreparedFloat32 | PreparedFloat64) -> Step: ...

class Memory:
    def __init__(self) -> None: ...
    @property
    def nbytes(self) -> int: ...

def linear_nats(
    memory: Memory,
    hidden: object,
    weight: object,
    bias: object,
    targets: object,
    of_hidden: object,
    of_weight: object,
    of_bias: object,
    most_bytes: int,
    threads: int,
    isa: str = "",
) -> float: ...
def adopt_torch(
    functions: object,
    tensor: type,
    parameter: type,
    empty: Callable[..., Any],
    float32: object,
    float64: object,
    cpu: object,
    default_dtype: Callable[[], object],
    modes: Callable[[], int],
) -> bool: ...
def kernel(
    words: list[int], literals: list[float], is_double: bool, isa: str = "", products: str = "float32"
) -> Kernel: ...
def operations() -> list[str]: ...
def built_isas() -> list[str]: ...
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def fast_products() -> list[str]: ...
def faults() -> list[str]: ...
def copies_strands() -> bool: ...
def lanes() -> int: ...
def cpu() -> _Cpu: ...
def hardware_threads() -> int: ...
def join_openmp() -> bool: ...
def compiler() -> str: ...
def dot(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float: ...
