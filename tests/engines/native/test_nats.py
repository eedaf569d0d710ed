"""The fused cross-entropy in native code: the numbers of float64, on every instruction set and number of threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import _native

DTYPES = {np.float32: 2e-5, np.float64: 1e-12}  # the largest error, relative to the largest number
MOST_BYTES = 64 * 2**20
# Rows, features and classes: one block and several, fewer than a vector; groups of rows; parts of many classes.
SHAPES = [(1, 1, 1), (7, 5, 23), (50, 16, 128), (50, 17, 129), (3, 200, 1000), (1030, 8, 70), (530, 33, 300)]
SHAPES += [(40, 24, 2049), (300, 9, 5000), (5, 0, 7)]


@dataclass
class Problem:
    """The arguments of a call, and what it gives."""

    hidden: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    targets: np.ndarray

    @classmethod
    def drawn(cls, shape, dtype, seed=0):
        rows, features, classes = shape
        random = np.random.default_rng(seed)
        parts = [random.standard_normal(size) for size in ((rows, features), (classes, features), classes)]
        return cls(*(part.astype(dtype) for part in parts), random.integers(0, classes, rows))

    def run(self, wanted=(True, True, True), most_bytes=MOST_BYTES, threads=2, isa=""):
        """The sum and the gradients; those that are not wanted are None."""
        arrays = self.hidden, self.weight, self.bias
        results = [
            np.full_like(each, np.nan) if is_wanted and each is not None else None
            for each, is_wanted in zip(arrays, wanted, strict=True)
        ]
        total = _native.linear_nats(_native.Memory(), *arrays, self.targets, *results, most_bytes, threads, isa)
        return [total, *results]

    def exact(self):
        """The same, written out in float64."""
        hidden, weight = self.hidden.astype(np.float64), self.weight.astype(np.float64)
        logits = hidden @ weight.T + (0 if self.bias is None else self.bias.astype(np.float64))
        logits -= logits.max(1, keepdims=True)
        sums = np.exp(logits).sum(1, keepdims=True)
        rows = np.arange(len(hidden))
        total = (np.log(sums[:, 0]) - logits[rows, self.targets]).sum()
        change = np.exp(logits) / sums
        change[rows, self.targets] -= 1
        return [total, change @ weight, change.T @ hidden, None if self.bias is None else change.sum(0)]


def assert_close(found, expected, limit):
    for mine, exact in zip(found, expected, strict=True):
        if mine is not None:
            assert np.shape(mine) == np.shape(exact)
            assert np.abs(mine - exact).max(initial=0) <= limit * max(1e-3, np.abs(exact).max(initial=0))


def assert_same_bits(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        assert mine is theirs is None or np.asarray(mine).tobytes() == np.asarray(theirs).tobytes()


@pytest.mark.parametrize("isa", _native.supported_isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_of_float64(shape, dtype, isa):
    problem = Problem.drawn(shape, dtype)
    expected = problem.exact()
    for most_bytes in (MOST_BYTES, 20_000, 0):  # all rows together; some; one
        assert_close(problem.run(most_bytes=most_bytes, isa=isa), expected, DTYPES[dtype])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 70), st.integers(0, 40), st.integers(1, 400), st.booleans(), st.integers(0, 99))
def test_random_shapes(rows, features, classes, has_bias, seed):
    problem = Problem.drawn((rows, features, classes), np.float32, seed)
    problem.bias = problem.bias if has_bias else None
    assert_close(problem.run(), problem.exact(), DTYPES[np.float32])


@pytest.mark.parametrize("shape", [(300, 9, 5000), (1030, 8, 70), (40, 24, 2049)])
def test_threads_change_no_bit(shape):
    problem = Problem.drawn(shape, np.float32)
    expected = problem.run(threads=1)
    for threads in (2, 3, 8):
        assert_same_bits(problem.run(threads=threads), expected)


@pytest.mark.parametrize("shape", [(50, 17, 129), (1030, 8, 70)])
def test_wishes_change_no_bit(shape):
    problem = Problem.drawn(shape, np.float32)
    expected = problem.run()
    for wanted in ((True, False, False), (False, True, False), (False, False, True), (False, False, False)):
        mine = problem.run(wanted)
        assert [each is not None for each in mine[1:]] == list(wanted)
        assert_same_bits(mine, [each if kept is not None else None for each, kept in zip(expected, mine, strict=True)])


def test_memory_is_reused():
    problem, memory = Problem.drawn((100, 4, 3000), np.float32), _native.Memory()
    arrays = memory, problem.hidden, problem.weight, problem.bias, problem.targets, None, None, None
    sizes = []
    for most_bytes in (100_000, 100_000, MOST_BYTES, 100_000):
        _native.linear_nats(*arrays, most_bytes, 1)
        sizes.append(memory.nbytes)
    assert sizes[0] == sizes[1] < 400_000 < 100 * 3000 * 4 < sizes[2] == sizes[3]


@pytest.mark.parametrize("shape", [(700, 512, 4000), (700, 512, 500)])
def test_gradients_stay_within_the_memory(shape):
    problem, memory, most_bytes = Problem.drawn(shape, np.float32), _native.Memory(), 2 * 2**20
    results = [np.empty_like(each) for each in (problem.hidden, problem.weight, problem.bias)]
    arrays = problem.hidden, problem.weight, problem.bias, problem.targets
    _native.linear_nats(memory, *arrays, *results, most_bytes, 1)
    assert memory.nbytes < 1.3 * most_bytes


def test_callers_share_memory():
    """One call at a time uses it, although the sizes differ."""
    problems = [Problem.drawn((60, 5, classes), np.float32) for classes in (40, 3000)] * 3
    memory, expected = _native.Memory(), [problem.run()[0] for problem in problems]

    def total(problem):
        arrays = problem.hidden, problem.weight, problem.bias, problem.targets
        return [_native.linear_nats(memory, *arrays, None, None, None, MOST_BYTES, 2) for _ in range(20)]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(total, problems)) == [[each] * 20 for each in expected]


def test_classes_that_are_ruled_out():
    """A bias of -inf rules a class out: here whole blocks of them."""
    problem = Problem.drawn((20, 6, 1000), np.float32)
    problem.bias[:600] = -np.inf
    problem.targets = problem.targets % 400 + 600
    assert_close(problem.run(), problem.exact(), DTYPES[np.float32])
    problem.targets[3] = 0
    assert problem.run()[0] == np.inf


def test_large_logits_and_hopeless_targets():
    problem = Problem.drawn((30, 6, 500), np.float32)
    problem.hidden *= 1e4
    found, expected = problem.run(), problem.exact()
    assert expected[0] > 30 * 1e4
    assert_close(found, expected, 1e-4)


@pytest.mark.parametrize("classes", [5, 700])
@pytest.mark.parametrize("row", [0, 3])
def test_what_is_no_number_stays_none(row, classes):
    problem = Problem.drawn((4, 3, classes), np.float32)
    problem.hidden[row, 1] = np.nan
    total, of_hidden, of_weight, of_bias = problem.run()
    assert np.isnan(total)
    assert np.isnan(of_weight).all()
    assert np.isnan(of_bias).all()
    assert [bool(np.isnan(each).all()) for each in of_hidden] == [number == row for number in range(4)]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"hidden": np.ones(3, np.float32)}, ValueError, r"hidden must be \(rows, features\)"),
        (
            {"weight": np.ones((5, 4), np.float32)},
            ValueError,
            r"weight must be \(5 classes, 3 features\); got \(5, 4\)",
        ),
        ({"weight": np.ones((5, 3))}, ValueError, "another dtype"),
        ({"weight": np.ones((0, 3), np.float32), "bias": None}, ValueError, "no classes"),
        ({"hidden": np.ones((4, 6), np.float32)[:, ::2]}, ValueError, "not contiguous"),
        ({"bias": np.ones(4, np.float32)}, ValueError, r"bias must be \(5 classes\); got \(4\)"),
        ({"targets": np.zeros(3, np.int64)}, ValueError, r"targets must be \(4 rows\); got \(3\)"),
        ({"targets": np.zeros(4, np.int32)}, ValueError, "another dtype"),
        ({"targets": np.array([0, 5, 0, 0])}, IndexError, "target 1 is 5, which is no class: there are 5"),
        ({"targets": np.array([0, 0, 0, -1])}, IndexError, "target 3 is -1"),
    ],
)
def test_bad_arguments(changes, error, message):
    problem = Problem.drawn((4, 3, 5), np.float32)
    for name, value in changes.items():
        setattr(problem, name, value)
    with pytest.raises(error, match=message):
        problem.run((False, False, False))


def test_results_of_other_sizes_are_refused():
    problem = Problem.drawn((4, 3, 5), np.float32)
    arrays = problem.hidden, problem.weight, problem.bias, problem.targets
    for wrong in ([np.ones((4, 2), np.float32), None, None], [None, np.ones((5, 3)), None]):
        with pytest.raises(ValueError, match=r"hidden's gradient must be|another dtype"):
            _native.linear_nats(_native.Memory(), *arrays, *wrong, MOST_BYTES, 1)
    for most_bytes, threads in ((-1, 1), (0, 0)):
        with pytest.raises(ValueError, match="no memory or threads"):
            _native.linear_nats(_native.Memory(), *arrays, None, None, None, most_bytes, threads)
