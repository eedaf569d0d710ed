"""Invalid code is refused when a kernel is made, and calls that do not fit are refused when it runs."""

import random

import numpy as np
import pytest

from recurra import _native
from recurra.compiler import plan, products_stored, trace
from recurra.compiler.differentiate import differentiate
from recurra.engines.native.lower import lower
from recurra.program import Sizes
from tests.cells.representatives import CELLS

SIZES = Sizes(3, 4)
NAMES = ("lstm", "layer_norm_lstm", "block_slstm", "antisymmetric_rnn", "on_lstm", "intersection")
STRANGE = (-1, 0, 1, 2, 7, 64, 1 << 20, 1 << 31, 1 << 40, (1 << 40) + 1, 1 << 62, (1 << 63) - 1, -(1 << 63))


def code_of(name, **sizes):
    return lower(plan(trace(CELLS[name])).schedule, SIZES._replace(**sizes), _native.lanes())


def backward_code_of(name):
    program = plan(trace(CELLS[name])).program
    gradient = differentiate(
        program, given=[program.output], wanted=program.sources, stored=(*products_stored(program), program.output)
    )
    rows = gradient.schedule.rows
    entering = {state: number for number, state in enumerate(s for s in program.states if s in rows)}
    return lower(gradient.schedule, SIZES, _native.lanes(), opposite=True, entering=entering)


CODES = {**{name: code_of(name) for name in NAMES}, **{f"{name}, backward": backward_code_of(name) for name in NAMES}}


def make(words, literals, **options):
    """The kernel, or None if the code is refused; any error but ValueError is a failure."""
    try:
        return _native.kernel(words, literals, False, **options)
    except ValueError:
        return None


@pytest.mark.parametrize("name", CODES)
def test_real_code_is_accepted(name):
    assert make(CODES[name].words(), CODES[name].literals) is not None


@pytest.mark.parametrize("name", CODES)
def test_shortened_code_is_refused(name):
    words, literals = CODES[name].words(), CODES[name].literals
    for length in range(len(words)):
        assert make(words[:length], literals) is None, length
    assert make([*words, 0], literals) is None


@pytest.mark.parametrize("name", CODES)
def test_missing_literals_are_refused(name):
    words, literals = CODES[name].words(), CODES[name].literals
    for count in range(len(literals)):
        assert make(words, literals[:count]) is None


@pytest.mark.parametrize("name", CODES)
def test_changed_code_is_refused_or_built(name):
    """Each word is replaced by strange ones, then several words at random. Built kernels are not run."""
    words, literals = CODES[name].words(), CODES[name].literals
    draw = random.Random(name)
    refused = 0
    for place in range(len(words)):
        for strange in draw.sample(STRANGE, 3):
            changed = list(words)
            changed[place] = strange
            refused += make(changed, literals) is None
    for _ in range(1000):
        changed = list(words)
        for _ in range(draw.randrange(2, 6)):
            change = draw.randrange(4)
            place = draw.randrange(len(changed))
            if change == 0:
                changed[place] = draw.choice(STRANGE)
            elif change == 1:
                changed[place] = min(max(changed[place] + draw.choice((-1, 1)), -(1 << 63)), (1 << 63) - 1)
            elif change == 2:
                del changed[place]
            else:
                changed.insert(place, draw.randrange(40))
        refused += make(changed, literals) is None
    assert refused > len(words)


def test_sizes_whose_product_overflows_are_refused():
    words, literals = code_of("lstm").words(), code_of("lstm").literals
    for place in range(len(words) - 1):
        changed = list(words)
        changed[place] = changed[place + 1] = 1 << 40
        make(changed, literals)
    for rows, width in ((1 << 40, 1 << 40), (1 << 32, 1 << 32), (1 << 40, 1 << 24)):
        # One parameter, and a constant that is its copy.
        code = [_native.lanes(), 0, 1, 1, 1, rows, 1, width, 0, 0, 0, 2, 5, width, rows, 0, 0, 0, width, rows, -1, 0]
        code += [0, 1, 7, rows, width, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        assert make(code, []) is None, "more elements than any memory has"


def test_code_of_another_width_or_instruction_set_is_refused():
    code = code_of("lstm")
    with pytest.raises(ValueError, match="another width"):
        _native.kernel(code.words(), code.literals, True)
    with pytest.raises(ValueError, match="does not run the instruction set 'mmx'"):
        _native.kernel(code.words(), code.literals, False, isa="mmx")


# Changes of a small hand-written code that would read or write outside of an array.
MISFITS = {
    "nothing": {},
    "an operand narrower than the operation": {"width": 1, "vectors": 40},
    "a parameter that is not there": {"parameter": -1},
    "a result in a literal": {"result": 4},
    "a result in an input": {"result": 1},
    "more rows than a constant has": {"constant_rows": 9},
    "a state wider than what is carried": {"state_width": 1 << 20},
    "an input wider than the caller's": {"input_width": 1 << 20},
    "a value of a step in a stage ahead of the steps": {"early": True},
}


@pytest.mark.parametrize("what", MISFITS)
def test_values_that_do_not_fit_their_instructions_are_refused(what):
    lanes = _native.lanes()
    usual = {
        "width": lanes, "vectors": 1, "parameter": 0, "result": 3, "constant_rows": 1, "state_width": lanes,
        "input_width": lanes, "early": False,
    }  # fmt: skip
    o = {**usual, **MISFITS[what]}
    head = [lanes, 0, 8, 8, 1, 4, 1, lanes, 1, lanes, 1, lanes, 1, lanes]  # a parameter, an input, an output, a state
    values = [
        [5, lanes, 4, o["parameter"], 0], [6, o["input_width"], 1, 0, 0], [3, o["state_width"], 1, 0, 0],
        [4, lanes, 1, 0, 0], [9, 1, 1, 0, 1], [0, lanes, 1, -1, 0], [2, o["width"], 1, -1, 0],
    ]  # fmt: skip
    copy_parameter = [7, o["constant_rows"], lanes, 5, 0, 0]
    fill = [0, 0, o["vectors"], 1, 0, 6, 1, -1, -1, 0]  # value of a step = input
    add = [0, 0, o["vectors"], 1, 3, o["result"], 6, 2, -1, 0]  # next state = that + state
    stages = [[copy_parameter], [fill] if o["early"] else [], [add] if o["early"] else [fill, add], [], [], []]
    code = [*head, len(values), *(word for value in values for word in value), 0]
    for stage in stages:
        code += [len(stage), *(word for instruction in stage for word in instruction)]
    assert (make([*code, 0], [1.0]) is None) == (what != "nothing")


class Run:
    """The words of a valid call, by part."""

    def __init__(self):
        self.code = code_of("lstm")
        self.kernel = _native.kernel(self.code.words(), self.code.literals, False)
        draw = np.random.default_rng(0)
        self.fixed = [draw.standard_normal((rows, width)).astype(np.float32) for rows, width in self.code.parameters]
        self.x, self.output = np.ones((5, 2, 3), np.float32), np.empty((5, 2, 4), np.float32)
        self.ends = [np.zeros((2, 4), np.float32) for _ in range(4)]
        self.sizes = np.array([2, 2, 2, 1, 1], np.int64)

    def prepared_words(self):
        return [word for a in self.fixed for word in (a.ctypes.data, a.shape[1], 1)]

    def words(self):
        words = [5, 2, 0, 0, 0, 1, *self.prepared_words()]
        words += [self.x.ctypes.data, 6, 3, self.output.ctypes.data, 8, 4]
        for end in self.ends:
            words += [end.ctypes.data, 4]
        return [*words, 0]


def test_calls_with_too_few_or_too_many_words():
    run = Run()
    words = run.words()
    run.kernel.run(words, None)
    assert np.isfinite(run.output).all()
    for length in range(len(words)):
        with pytest.raises(ValueError, match="too few"):
            run.kernel.run(words[:length], None)
    with pytest.raises(ValueError, match="too many"):
        run.kernel.run([*words, 0], None)
    with pytest.raises(ValueError, match="too few"):
        run.kernel.run([*words[:-1], 3], None)
    for length in range(len(run.prepared_words())):
        with pytest.raises(ValueError, match="too few"):
            run.kernel.prepare(run.prepared_words()[:length])
    with pytest.raises(ValueError, match="too many"):
        run.kernel.prepare([*run.prepared_words(), 0])


def test_calls_without_memory():
    run = Run()
    words = run.words()
    addresses = {a.ctypes.data for a in (*run.fixed, run.x, run.output)}
    places = [place for place, word in enumerate(words) if word in addresses]
    assert len(places) == len(addresses)
    for place in places:
        with pytest.raises(ValueError, match="no memory"):
            run.kernel.run([0 if at == place else word for at, word in enumerate(words)], None)
    with pytest.raises(ValueError, match="no memory"):
        run.kernel.prepare([0, *run.prepared_words()[1:]])
    run.kernel.run(words, None)
    expected = run.output.copy()
    for end in run.ends:  # absent first states are zeros, and last states may be unwanted
        run.kernel.run([0 if word == end.ctypes.data else word for word in words], None)
        np.testing.assert_array_equal(run.output, expected)


@pytest.mark.parametrize("place", [0, 1])
def test_calls_of_negative_sizes(place):
    run = Run()
    words = run.words()
    words[place] = -1
    with pytest.raises(ValueError, match="negative"):
        run.kernel.run(words, None)


@pytest.mark.parametrize("sizes", [(2, 1, 2, 1, 1), (3, 2, 2, 1, 1), (2, 2, 2, 1, -1), (1, 1, 1, 1, 2)])
def test_batch_sizes_that_increase_or_are_too_large(sizes):
    run = Run()
    words = run.words()
    run.sizes[:] = sizes
    words[2] = run.sizes.ctypes.data
    with pytest.raises(ValueError, match="batch sizes"):
        run.kernel.run(words, None)


def test_any_number_of_threads():
    run = Run()
    words = run.words()
    run.kernel.run(words, None)
    expected = run.output.copy()
    for count in (-(1 << 40), -1, 0, 2, 64, 1000, 1 << 40):
        words[5] = count
        run.output[...] = 0
        run.kernel.run(words, None)
        np.testing.assert_array_equal(run.output, expected)


def test_weights_prepared_for_another_kernel():
    run, other = Run(), Run()
    prepared = other.kernel.prepare(other.prepared_words())
    with pytest.raises(ValueError, match="another kernel"):
        run.kernel.run(run.words(), prepared)
    run.kernel.run(run.words(), run.kernel.prepare(run.prepared_words()))
    code = backward_code_of("lstm")
    assert code.stages["sums"]


def test_weights_prepared_for_a_kernel_that_is_gone():
    """A new kernel often gets the address of the old one. It must not mistake the old one's weights for its own."""
    run = Run()
    words, code = run.words(), code_of("lstm", input=64, hidden=256)
    for _ in range(50):
        small = _native.kernel(run.code.words(), run.code.literals, False)
        prepared = small.prepare(run.prepared_words())
        del small
        kernel = _native.kernel(run.code.words(), run.code.literals, False)
        with pytest.raises(ValueError, match="another kernel"):
            kernel.run(words, prepared)
    assert len(code.words()) > 0


# ---- numbers that reach too far only in combination ----


def whole(inputs, values, *, once=(), before=(), after=()):
    """Code of these stages, without literals, parameters, outputs, states, matrices and results."""

    def counted(items):
        return [len(items), *(word for item in items for word in item)]

    stages = [counted(stage) for stage in (once, before, (), after, (), ())]
    head = [_native.lanes(), 0, 1, 1, 0, 0, len(inputs), *inputs, 0, 0]
    return [*head, *counted(values), 0, *(word for stage in stages for word in stage), 0]


def test_a_step_that_overflows_is_refused():
    count = 2**24 + 1
    values = [[0, count, 1, -1, 0], [0, 1, 1, -1, 0]]  # two constants

    def move(step):
        return whole([], values, once=[[4, 1, 0, 1, 0, 1, 0, 0, count, step]])

    for step in (1, 2**40):  # 2**24 times 2**40 is 0 in 64 bits
        with pytest.raises(ValueError, match="columns reach over their value"):
            _native.kernel(move(step), [], False)


@pytest.mark.parametrize("stage", ["before", "after"])
def test_first_states_that_are_not_given_are_refused(stage):
    values = [[1, 1, 0, -1, 0], [6, 1, 0, 0, 0]]  # a value of the chunk, and the input
    kernel = _native.kernel(whole([1], values, **{stage: [[10, 0, 0, 0, 1, 50]]}), [], False)
    x = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="too few first states"):
        kernel.run([1, 1, 0, 0, 0, 1, x.ctypes.data, 1, 1, 0], None)
