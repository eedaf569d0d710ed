"""The promises of the native engine, on numpy's arrays alone: these tests also run without torch."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from recurra.compiler import plan, trace
from recurra.engines import Call, Wishes, reference
from recurra.engines.native import NativeEngine
from recurra.program import Sizes
from tests.cells.representatives import CELLS

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
NAMES = pytest.mark.parametrize("name", CELLS)
# steps, batch, hidden: two threads share columns of products in the first, rows in the second
SHAPES = [(5, 2, 130), (9, 16, 18)]


class Case:
    """A cell at given sizes with random numbers, and calls of its kernel, forward and backward."""

    def __init__(self, name, dtype, steps, batch, hidden):
        self.plan = plan(trace(CELLS[name]))
        self.program, self.kernel = self.plan.program, NativeEngine().build(self.plan)
        self.width = hidden if name == "intersection" else 7
        self.sizes = Sizes(self.width, hidden)
        self.draw, self.dtype = np.random.default_rng(0), dtype
        x = self.array(steps, batch, self.width)
        states = [self.array(batch, *self.shape(state)) for state in self.program.states]
        spread = hidden**-0.5
        parameters = [self.array(*self.shape(parameter), spread=spread) for parameter in self.program.parameters]
        self.call = Call(x, None, states, parameters, self.sizes)

    def shape(self, variable):
        return [size.value(self.sizes) for size in variable.shape]

    def array(self, *shape, spread=1.0):
        """The same numbers in either dtype."""
        return self.draw.uniform(-spread, spread, shape).astype(np.float32).astype(self.dtype)

    def forward(self, **changed):
        result = self.kernel.forward(replace(self.call, **changed))
        return [result.output, *result.states]

    def gradients(self, call=None):
        """The sum of output and last states, with random weights, and its gradients with respect to all inputs."""
        call = self.call if call is None else call
        wishes = Wishes((True,) * len(self.program.sources))
        result = self.kernel.forward(call, wishes)
        self.draw = np.random.default_rng(1)
        weights = [self.array(*value.shape) for value in (result.output, *result.states)]
        found = self.kernel.backward(call, result, wishes, weights[:1], weights[1:])
        value = sum(
            float((w.astype(np.float64) * v).sum())
            for w, v in zip(weights, (result.output, *result.states), strict=True)
        )
        return value, found


def same(mine, other):
    """Whether arrays are equal to the last bit."""
    for a, b in zip(mine, other, strict=True):
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


@pytest.fixture
def set_threads(monkeypatch):
    """Sets the number of threads that a call uses, in the way that works without torch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    return lambda count: monkeypatch.setenv("OMP_NUM_THREADS", str(count))


@NAMES
def test_numbers(name):
    exact = Case(name, "float64", 5, 3, 18)
    expected = reference().build(exact.plan).forward(exact.call)
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-4)):
        mine = Case(name, dtype, 5, 3, 18).forward()
        for a, b in zip(mine, [expected.output, *expected.states], strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max()))


@NAMES
def test_gradients(name):
    """Gradients of float64 equal differences along a direction; those of float32 equal those of float64."""
    case = Case(name, "float64", 4, 3, 6)
    _, gradients = case.gradients()
    sources = [case.call.x, *case.call.states, *case.call.parameters]
    direction = [np.random.default_rng(2).uniform(-1, 1, source.shape) for source in sources]
    step, values = 1e-6, []
    for sign in (1, -1):
        moved = [np.asarray(source + sign * step * d) for source, d in zip(sources, direction, strict=True)]
        states = len(case.call.states)
        call = replace(case.call, x=moved[0], states=moved[1 : 1 + states], parameters=moved[1 + states :])
        values.append(case.gradients(call)[0])
    along = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True))
    assert along == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-6)
    for single, double in zip(Case(name, "float32", 4, 3, 6).gradients()[1], gradients, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(double).max()))


@DTYPES
@NAMES
def test_threads_change_no_bit(name, dtype, set_threads):
    for shape in SHAPES:
        made = []
        for count in (1, 2):
            set_threads(count)
            case = Case(name, dtype, *shape)
            made.append([*case.forward(), *case.gradients()[1]])
        same(*made)


@DTYPES
@NAMES
def test_a_row_of_a_batch_is_the_sequence_alone(name, dtype):
    case = Case(name, dtype, 4, 9, 18)
    output, *last = case.forward()
    for row in (0, 5, 8):
        alone = slice(row, row + 1)
        mine = case.forward(x=case.call.x[:, alone].copy(), states=[state[alone].copy() for state in case.call.states])
        same(mine, [output[:, alone], *(state[alone] for state in last)])


@DTYPES
@NAMES
def test_packed_sequences_are_those_alone(name, dtype):
    case, lengths = Case(name, dtype, 5, 4, 18), (5, 5, 3, 1)
    sizes = [sum(length > t for length in lengths) for t in range(5)]
    rows = np.concatenate([case.call.x[t, :size] for t, size in enumerate(sizes)])
    output, *last = case.forward(x=rows, batch_sizes=sizes)
    starts = np.cumsum([0, *sizes])
    for row, length in enumerate(lengths):
        alone = slice(row, row + 1)
        mine = case.forward(
            x=case.call.x[:length, alone].copy(), states=[state[alone].copy() for state in case.call.states]
        )
        same(mine, [output[starts[:length] + row][:, None], *(state[alone] for state in last)])


@DTYPES
@NAMES
def test_steps_one_at_a_time_are_the_whole_sequence(name, dtype):
    case = Case(name, dtype, 6, 2, 18)
    whole, *last = case.forward()
    outputs, states = [], case.call.states
    for x_t in case.call.x:
        output, *states = case.forward(x=x_t[None], states=states)
        outputs.append(output[0])
    same([np.stack(outputs), *states], [whole, *last])


@DTYPES
@NAMES
def test_packed_weights_change_no_bit(name, dtype):
    """The bits are the same for weights packed once, packed in the call, and read in place."""
    for batch in (1, 3, 9):
        case = Case(name, dtype, 3, batch, 18)
        packed = case.kernel.pack(case.call.parameters, case.sizes, dtype)
        for steps in (1, 3):
            same(case.forward(x=case.call.x[:steps], packed=packed), case.forward(x=case.call.x[:steps]))
