"""The native engine gives the reference engine's results, for random programs, the zoo and all options."""

import random

import numpy as np
import pytest
import torch

import recurra
from recurra import cell, cells
from recurra.compiler import plan, trace
from recurra.engines import Call, reference
from recurra.engines.native import NativeEngine
from tests.cells.representatives import CELLS, EVEN, zoneout_rnn
from tests.engines.native.cases import ENGINE, LAYOUTS, Case, random_options
from tests.random_cells import random_program


def sized(name, draw):
    """Options that fit a cell; its hidden size is odd if possible."""
    options = random_options(draw.randrange(10**9))
    options["hidden"] = draw.choice([2, 18, 34] if name in EVEN else [1, 3, 17, 129])
    options["width"] = options["hidden"] if name == "intersection" else draw.choice([1, 3, 17])
    return {**options, "dtype": draw.choice(["float64", "float32"]), "spread": options["hidden"] ** -0.5}


@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed, differentiable):
    program = random_program(seed, differentiable)
    for variant in range(3):
        options = random_options(f"{seed} {differentiable} {variant}")
        dtype = "float32" if differentiable and variant == 2 else "float64"
        Case(program, seed, dtype=dtype, traced=variant == 1, **options).check_forward()


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    draw = random.Random(name)
    program = trace(CELLS[name])
    for seed in range(8):
        Case(program, seed, traced=seed % 2 == 1, **sized(name, draw)).check_forward()


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "layer_norm_lstm", "multiplicative_lstm"])
@pytest.mark.parametrize("proj", [1, 3, 16])
def test_projections(name, proj):
    program = trace(cells.all()[name], projected=True)
    draw = random.Random(f"{name}{proj}")
    for seed in range(3):
        Case(program, seed, proj=proj, **{**sized(name, draw), "hidden": 17}).check_forward()


@pytest.mark.parametrize("options", [{}, {"per": "sequence"}])
def test_masks(options):
    for seed in range(6):
        drawn = random_options(seed)
        Case(trace(zoneout_rnn, options), seed, traced=seed > 3, **drawn).check_forward()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "block_slstm", "tgru", "min_gru"])
def test_sequences_without_steps_keep_their_first_state(name, reverse):
    """The longest four of seven sequences have steps; in reverse, three of these begin late."""
    hidden = 18
    case = Case(
        trace(CELLS[name]), 3, steps=(4, 4, 3, 1), batch=7, hidden=hidden, width=hidden, reverse=reverse, reset=True
    )
    result = case.check_forward()
    for first, last in zip(case.call.states, result.states, strict=True):
        assert torch.equal(last[4:], first[4:])


def test_traced_bools():
    for seed in range(4):
        case = Case(
            trace(CELLS["gated_output"]), seed, traced=True, dtype="float32", hidden=5, library=[np, torch][seed % 2]
        )
        result = case.check_forward()
        assert case.plan.traced
        assert {name: str(value.dtype).split(".")[-1] for name, value in result.traced.items()} == {
            name: "bool" if variable.kind == "bool" else "float32" for name, variable in case.plan.traced
        }


@cell
def comparing(x, h, *, W, U):
    is_large = x @ W > h
    h = recurra.where(is_large, x @ W, h @ U)
    return h


def test_a_comparison_that_has_a_name_is_traced_as_a_bool():
    case = Case(trace(comparing), 0, traced=True, hidden=17)
    assert case.check_forward().traced["is_large"].dtype is torch.bool


@pytest.mark.parametrize("library", [np, torch])
@pytest.mark.parametrize("layout", [*LAYOUTS, "swapped"])
@pytest.mark.parametrize("which", ["x", "states", "parameters"])
@pytest.mark.parametrize("name", ["lstm", "block_slstm", "layer_norm_lstm", "antisymmetric_rnn", "fast_rnn"])
def test_layouts(name, which, layout, library):
    layouts = [layout if which == kind else "contiguous" for kind in ("x", "states", "parameters")]
    for hidden, dense in ((2, (3, 2)), (18, (2, 3)), (34, None)):
        case = Case(trace(CELLS[name]), 1, hidden=hidden, dense=dense, library=library, layouts=layouts)
        case.check_forward()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("steps", [(3,), (1,) * 40, (33,) * 9, (70, 69, 50, 3, 3, 1)])
def test_many_steps_and_rows(steps, dtype):
    """More rows than go through a step together, and more than fit into one chunk."""
    for name in ("lstm", "res_lstm", "intersection", "solver"):
        for reverse in (False, True):
            case = Case(
                trace(CELLS[name]), 0, steps=steps, hidden=65, width=65, reverse=reverse, dtype=dtype, spread=0.12
            )
            case.check_forward()


def test_no_time_steps_and_no_sequences():
    program = trace(cells.lstm)
    for dense in ((0, 3), (4, 0), (0, 0)):
        case = Case(program, 0, dense=dense, batch=None)
        result = NativeEngine().build(plan(program)).forward(case.call)
        assert tuple(result.output.shape) == (*dense, 4)
        for first, last in zip(case.call.states, result.states, strict=True):
            assert torch.equal(first, last)


def test_one_kernel_for_many_sizes_and_dtypes():
    program = trace(cells.gru)
    for _ in range(2):
        for hidden, dtype in ((3, "float64"), (5, "float32"), (3, "float32"), (16, "float64")):
            Case(program, hidden, hidden=hidden, dtype=dtype).check_forward()


def test_the_memory_of_earlier_calls_does_not_leak_into_later_ones():
    """A call full of NaN comes first, then a smaller call in the same memory."""
    program = trace(CELLS["on_lstm"])
    expected = None
    for fill in (None, float("nan"), 1e30):
        case = Case(program, 0, hidden=17, dense=(3, 2))
        if fill is not None:
            large = Case(program, 0, hidden=64, dense=(9, 40))
            large.call.x.fill_(fill)
            ENGINE.build(large.plan).forward(large.call)
        result = ENGINE.build(case.plan).forward(case.call).output
        expected = result if expected is None else expected
        assert torch.equal(result, expected)


def test_the_batch_sizes_may_be_a_tensor():
    case = Case(trace(cells.gru), 0)
    kernel = ENGINE.build(case.plan)
    listed = kernel.forward(case.call)
    call = case.call
    other = Call(call.x, torch.tensor(call.batch_sizes), call.states, call.parameters, call.sizes)
    assert torch.equal(kernel.forward(other).output, listed.output)
    case.same(listed.output, reference().build(case.plan).forward(case.exact).output, "output")
