"""Native steps: computations on arrays that stay where they are, several of them in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import recurra._native as _native
from recurra.engines.steps import Array, IntegerProduct, Operations, SettledRun, WindowSpec

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
        p = product
        others = (p.a_scale, p.b_scale, p.bias, p.y_scale, p.y_zero)
        return NativeRun(
            _native.integer_product_step(matrix, p.a, p.zero, p.y, *others, self.threads),  # type: ignore[arg-type]
            p,
        )

    def dynamic_quantization(self, x: Array, y: Array, scale: Array, zero: Array) -> SettledRun:
        """See ``StepMaker``."""
        return NativeRun(_native.dynamic_quantization_step(x, y, scale, zero), (x, y, scale, zero))

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


def _words(operations: Operations | None) -> tuple[list[int], list[float]]:
    """Operations as native code takes them."""
    words: list[int] = []
    for name, result, operands in () if operations is None else operations.each:
        words += (_NUMBERS[name], result, *operands, *(-1,) * (3 - len(operands)))
    return words, [] if operations is None else list(operations.literals)
