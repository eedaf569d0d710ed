"""The native engine's gradients equal those of the reference engine under autograd; unwanted ones are not computed."""

import random

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.compiler import trace
from recurra.compiler.adjoint import sums_rows
from recurra.engines import Wishes, reference
from recurra.engines.native.code import Instruction
from recurra.engines.native.lower import lower
from tests.cells.representatives import CELLS, EVEN, zoneout_rnn
from tests.engines.native.cases import ENGINE, Case, laid_out, random_options
from tests.random_cells import random_program


def wishes(case, draw):
    """Random choices of wanted gradients, arriving gradients and kept values."""
    wanted = [draw.random() < 0.6 for _ in case.program.sources]
    given = [draw.random() < 0.8, *(v.kind == "real" and draw.random() < 0.7 for _, v in case.plan.traced)]
    lasts = [draw.random() < 0.6 for _ in case.program.states]
    return {"wanted": wanted, "given": given, "lasts": lasts, "store": draw.random() < 0.5}


@pytest.mark.parametrize("seed", range(45))
def test_random_programs(seed):
    """All gradients of one call, with products kept and computed again; then random wishes for two others."""
    draw = random.Random(seed)
    program = random_program(seed, differentiable=True)
    case = Case(program, seed, **random_options(f"all {seed}"))
    for store in (False, True):
        case.check_backward(store=store)
    for variant in range(3):
        case = Case(program, seed, traced=variant == 1, **random_options(f"{seed} {variant}"))
        case.check_backward(**wishes(case, draw))


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_with_kinks(seed):
    draw = random.Random(seed)
    program = random_program(1000 + seed)
    for variant in range(2):
        case = Case(program, seed, **random_options(f"kinks {seed} {variant}"))
        case.check_backward(**({} if variant else wishes(case, draw)))


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    draw = random.Random(name)
    program = trace(CELLS[name])
    for seed in range(8):
        options = random_options(draw.randrange(10**9))
        options["hidden"] = draw.choice([2, 18, 34] if name in EVEN else [1, 3, 17, 65])
        options["width"] = options["hidden"] if name == "intersection" else draw.choice([1, 3, 17])
        dtype = "float32" if seed == 7 else "float64"
        spread = options["hidden"] ** -0.5
        case = Case(program, seed, traced=seed % 2 == 1, dtype=dtype, spread=spread, **options)
        case.check_backward(**({"store": seed < 2} if seed < 4 else wishes(case, draw)))


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "layer_norm_lstm"])
def test_projections(name):
    program = trace(cells.all()[name], projected=True)
    for seed, proj in enumerate((1, 2, 3, 16)):
        options = {**random_options(seed), "hidden": 17}
        Case(program, seed, proj=proj, **options).check_backward(store=seed % 2 == 0)


def test_masks():
    for seed in range(6):
        Case(trace(zoneout_rnn), seed, **random_options(seed)).check_backward(store=seed % 2 == 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "block_slstm", "tgru", "min_gru", "intersection"])
def test_sequences_without_steps(name, reverse):
    """Three of seven sequences have no steps: gradients of their first states are those of their last states. In
    reverse, other sequences begin late.
    """
    hidden = 18
    case = Case(
        trace(CELLS[name]), 3, steps=(4, 4, 3, 1), batch=7, hidden=hidden, width=hidden, reverse=reverse, reset=True
    )
    for store in (False, True):
        case.check_backward(store=store)


@pytest.mark.parametrize("name", ["lstm", "gru", "res_lstm"])
@pytest.mark.parametrize("reverse", [False, True])
def test_many_steps_and_rows(name, reverse):
    """Several chunks of rows, and sums over all of them."""
    for steps in ((33,) * 9, (70, 69, 50, 3, 3, 1), (1,) * 500):
        case = Case(trace(CELLS[name]), 0, steps=steps, hidden=34, width=9, reverse=reverse, spread=0.17)
        case.check_backward()
        case.check_backward(store=False)


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("layout", ["expanded", "transposed", "strided", "sliced"])
def test_layouts_of_what_arrives(layout, library):
    """The gradient of a sum is one number that all elements share in memory."""
    case = Case(trace(cells.lstm), 0, dense=(5, 3), hidden=17, library=library)
    kernel = ENGINE.build(case.plan)
    wishes = Wishes((True,) * 7)
    result = kernel.forward(case.call, wishes)
    numbers = np.random.default_rng(0)
    arriving = [numbers.standard_normal(shape) for shape in ((5, 3, 17), (3, 17), (3, 17))]
    if layout == "expanded":
        arriving = [np.broadcast_to(a.reshape(-1)[:1].reshape((1,) * a.ndim), a.shape) for a in arriving]
    plain = [laid_out(np.array(a), "contiguous", library) for a in arriving]
    others = [laid_out(np.array(a), layout, library) for a in arriving]
    if layout == "expanded":
        others = [
            a if library is np else torch.from_numpy(np.array(a.reshape(-1)[0])).expand(a.shape) for a in arriving
        ]
    expected = kernel.backward(case.call, result, wishes, plain[:1], plain[1:])
    found = kernel.backward(case.call, result, wishes, others[:1], others[1:])
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))


def sums_in(schedule):
    return [equation for equation in schedule.after if sums_rows(equation)]


@pytest.mark.parametrize("name", CELLS)
def test_nothing_is_summed_that_nobody_asked_for(name):
    """Frozen parameters have no gradients, no sums over rows, and no instructions for them."""
    case = Case(trace(CELLS[name]), 0, hidden=6, width=6)
    kernel = ENGINE.build(case.plan)
    states, parameters = len(case.program.states), len(case.program.parameters)
    for wanted_x, wanted_state in ((True, False), (False, True), (True, True)):
        wanted = [wanted_x, *[wanted_state] * states, *[False] * parameters]
        backward = case.check_backward(wanted=wanted)
        schedule = backward.schedule
        assert not sums_in(schedule)
        assert not schedule.constant_results
        assert not schedule.finally_
        assert len(schedule.row_results) == wanted_x
        entering = {state: number for number, (state, *_) in enumerate(backward.entering)}
        code = lower(schedule, case.call.sizes, 8, opposite=True, entering=entering)
        kinds = {Instruction(instruction[0]) for stage in code.stages.values() for instruction in stage}
        assert not kinds & {Instruction.OUTER, Instruction.ROWS_SUM}
        found, _, _ = case.gradients(wanted, [True], [True] * states, True)
        assert (found[0] is not None) == wanted_x
        assert all(gradient is None for gradient in found[1 + states :])
    everything = kernel.backward_of(Wishes((True,) * (1 + states + parameters)))
    assert sums_in(everything.schedule)
    one = kernel.backward_of(Wishes((False,) * (1 + states) + (True,) + (False,) * (parameters - 1)))
    assert 0 < len(sums_in(one.schedule)) <= len(sums_in(everything.schedule))


def test_a_call_of_no_rows_has_zero_gradients():
    for dense in ((4, 0), (0, 3)):
        case = Case(trace(cells.lstm), 0, dense=dense)
        wishes = Wishes((True,) * 7)
        result = ENGINE.build(case.plan).forward(case.call, wishes)
        last = [torch.ones(dense[1], 4, dtype=torch.float64) for _ in range(2)]
        found = ENGINE.build(case.plan).backward(
            case.call, result, wishes, [torch.zeros(*dense, 4, dtype=torch.float64)], last
        )
        assert all(bool((gradient == 0).all()) for gradient in found[3:])
        assert all(torch.equal(gradient, one) for gradient, one in zip(found[1:3], last, strict=True))


def test_the_reference_is_what_these_tests_say():
    """The comparison can fail, as other weights give other gradients."""
    case = Case(trace(cells.gru), 0)
    found, expected, _ = case.gradients([True] * 6, [True], [True], True)
    assert float(np.abs(np.asarray(found[2]) - expected[2].numpy()).max()) < 1e-10
    case.call.parameters[0].add_(0.1)
    found, expected, _ = case.gradients([True] * 6, [True], [True], True)
    assert float(np.abs(np.asarray(found[2]) - expected[2].numpy()).max()) > 1e-4
    assert reference().name == "reference"
