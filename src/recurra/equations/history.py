"""Values of earlier steps: histories and delays, which are states that the language adds to a cell."""

from __future__ import annotations

from recurra.values import Recorder, Value, current_recorder

_MOST = 100_000  # steps


def history(x: Value, steps: int) -> tuple[Value, ...]:
    """The values that x had one step ago, two steps ago, … ``steps`` steps ago; zeros before the first step.

    The cell gets a further state behind its own, ``x_history`` for a value ``x``, which holds them one after the other:
    (steps * the size of x). So chunks of a sequence go on where the last one ended. A convolution over the last three
    inputs is ``concat(x, *history(x, 2)) @ W``.

    Args:
        x: a vector that changes from step to step: an input, a state, or computed from them.
        steps: the number of steps, 0 to 100,000.

    Raises:
        EquationError: x is no such vector, or ``steps`` no such number.
    """
    recorder = _checked("history", x, steps)
    if steps == 0:
        return ()
    earlier = recorder.remember(x, steps)
    if steps == 1:
        recorder.keep(earlier, x)
        return (earlier,)
    values = recorder.apply("split", (earlier,), {}, steps)
    recorder.keep(earlier, recorder.apply("concat", (x, *values[:-1]), {})[0])
    return tuple(values)


def delay(x: Value, steps: int = 1) -> Value:
    """The value that x had ``steps`` steps ago; zero before. ``delay(x, 0)`` is x itself.

    The cell gets a further state behind its own, as ``history`` says. A state of the cell's signature is the value of
    the step before already: ``delay(h, 2)`` is three steps old.

    Args:
        x: a vector that changes from step to step: an input, a state, or computed from them.
        steps: the number of steps, 0 to 100,000. Default 1.

    Raises:
        EquationError: x is no such vector, or ``steps`` no such number.
    """
    recorder = _checked("delay", x, steps)
    if steps == 0:
        return x
    earlier = recorder.remember(x, steps)
    if steps == 1:
        recorder.keep(earlier, x)
        return earlier
    recent, oldest = recorder.apply("partition", (earlier,), {}, 2)
    recorder.keep(earlier, recorder.apply("concat", (x, recent), {})[0])
    return oldest


def _checked(function: str, x: object, steps: object) -> Recorder:
    recorder = current_recorder(function)
    if type(steps) is not int or not 0 <= steps <= _MOST:
        recorder.fail(f"{function}(x, steps) needs a whole number of steps from 0 to {_MOST:,}, not {steps!r}")
    if not recorder.is_varying(x):
        recorder.fail(f"{function}(x, steps) needs an input, a state, or what is computed from them")
    return recorder
