"""Native steps: computations on arrays that stay where they are, several of them in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import recurra._native as _native
from recurra.engines.steps import Array, IntegerProduct, Operations, Quanta, SettledRun, WindowSpec

_NUMBERS = {name: number for number, name in enumerate(_native.operations())}


class NativeRun:
    """A native step that can be called; ``alive`` are the arrays that it reads and writes."""

    def __init__(self, step: _native.Step, alive: object) -> None:
        self.step = step
        step.keep(alive)
        self._call = _native.Steps([step]).run

    def __call__(self) -> None:
        """Run the step."""
        self._call()


class NativeSteps:
    """Makes native steps, which run on this number of threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def convolution(
        self, x: Array, weights: Array, bias: Array | None, y: Array, windows: WindowSpec, then: Operations | None
    ) -> SettledRun:
        """See ``StepMaker``."""
        w = windows
        step = _native.convolution_step(
            x, weights, bias, y, w.groups, w.strides, w.dilations, w.before, w.after, *_words(then), self.threads
        )
        return NativeRun(step, (x, weights, bias, y))

    def largest(self, x: Array, y: Array, windows: WindowSpec) -> SettledRun:
        """See ``StepMaker``."""
        return self._pooling(x, None, y, windows)

    def mean(self, x: Array, counts: Array, y: Array, windows: WindowSpec) -> SettledRun:
        """See ``StepMaker``."""
        return self._pooling(x, counts, y, windows)

    def _pooling(self, x: Array, counts: Array | None, y: Array, w: WindowSpec) -> SettledRun:
        step = _native.pooling_step(x, counts, y, w.kernel, w.strides, w.dilations, w.before, w.after, self.threads)
        return NativeRun(step, (x, counts, y))

    def elementwise(self, arrays: Sequence[Array], operations: Operations) -> SettledRun:
        """See ``StepMaker``."""
        if any(result < len(arrays) and not arrays[result].flags.writeable for _, result, _ in operations.each):
            raise ValueError("a result that is read-only")
        held = list(arrays)
        return NativeRun(_native.elementwise_step(held, *_words(operations), self.threads), held)

    def integer_matrix(self, b: Array, zeros: Array | None) -> object:
        """See ``StepMaker``."""
        return _native.integer_matrix(b, zeros)

    def integer_product(self, matrix: object, product: IntegerProduct) -> SettledRun:
        """See ``StepMaker``."""
        step = _native.integer_product_step(
            matrix,  # type: ignore[arg-type]
            product.a,
            product.zero,
            product.y,
            _result(product),
            self.threads,
        )
        return NativeRun(step, product)

    def integer_convolution(
        self, weights: Array, zeros: Array | None, windows: WindowSpec, product: IntegerProduct
    ) -> SettledRun:
        """See ``StepMaker``."""
        w, p = windows, product
        around = (w.groups, w.strides, w.dilations, w.before, w.after)
        step = _native.integer_convolution_step(
            p.a, p.zero, weights, zeros, p.y, *around, _result(product), self.threads
        )
        return NativeRun(step, product)

    def quantization(self, x: Array, y: Quanta) -> SettledRun:
        """See ``StepMaker``."""
        return NativeRun(_native.quantization_step(x, y.numbers, y.scale, y.zero, self.threads), (x, y))

    def dequantization(self, x: Quanta, y: Array) -> SettledRun:
        """See ``StepMaker``."""
        return NativeRun(_native.dequantization_step(x.numbers, y, x.scale, x.zero, self.threads), (x, y))

    def lookup(self, x: Array, y: Array, table: Array) -> SettledRun:
        """See ``StepMaker``."""
        return NativeRun(_native.table_step(x, y, table, self.threads), (x, y))

    def operations_on_bytes(self, inputs: Sequence[Quanta], y: Quanta, operations: Operations) -> SettledRun:
        """See ``StepMaker``."""
        given = [(each.numbers, each.scale, each.zero) for each in inputs]
        step = _native.byte_operations_step(given, y.numbers, y.scale, y.zero, *_words(operations), self.threads)
        return NativeRun(step, (inputs, y))

    def dynamic_quantization(self, x: Array, y: Array, scale: Array, zero: Array) -> SettledRun:
        """See ``StepMaker``."""
        flat = (x.reshape(-1), y.reshape(-1))
        return NativeRun(_native.dynamic_quantization_step(*flat, scale, zero, self.threads), (x, y, scale, zero))

    def copy(self, source: Array, target: Array) -> SettledRun:
        """See ``StepMaker``."""
        return NativeRun(_native.copying_step(source, target, self.threads), (source, target))

    def joined(self, runs: Sequence[SettledRun]) -> list[SettledRun]:
        """See ``StepMaker``."""
        found: list[SettledRun] = []
        for is_native, group in groupby(runs, lambda run: isinstance(run, NativeRun)):
            members = list(group)
            steps = [run.step for run in members if isinstance(run, NativeRun)]
            found += [_native.Steps(steps).run] if is_native else members
        return found

    def is_own(self, runs: Sequence[SettledRun]) -> bool:
        """See ``StepMaker``."""
        return all(isinstance(run, NativeRun) for run in runs)


def _result(p: IntegerProduct) -> _native.ResultArrays:
    """What becomes of exact sums."""
    return _native.ResultArrays(p.a_scale, p.b_scale, p.bias, p.added, p.y_scale, p.y_zero, p.is_rectified)


def _words(operations: Operations | None) -> tuple[list[int], list[float]]:
    """Operations as native code takes them."""
    words: list[int] = []
    for name, result, operands in () if operations is None else operations.each:
        words += (_NUMBERS[name], result, *operands, *(-1,) * (3 - len(operands)))
    return words, [] if operations is None else list(operations.literals)
