"""The forward pass keeps gates, not the products that they come from."""

import pytest

from recurra import cell, cells, concat, eye, split, tanh
from recurra.compiler import parts_stored, plan, products_stored, trace
from recurra.engines.protocol import Wishes
from recurra.engines.saved import derive


def passed(made):
    return plan(trace(made)).program


def test_a_gru_keeps_its_gates_and_the_product_that_the_reset_gate_meets():
    program = passed(cells.gru)
    assert {variable.name for variable in products_stored(program)} == {"r", "z", "n", "n_h"}


@pytest.mark.parametrize(
    ("name", "kept"),
    [("rnn", ["%h'"]), ("peephole_lstm", ["i", "f", "g", "o"]), ("mgu", ["f", "n"]), ("min_gru", ["z", "n"])],
)
def test_what_other_cells_keep(name, kept):
    program = passed(cells.all()[name])
    names = [variable.name for variable in products_stored(program)]
    if name == "rnn":
        assert products_stored(program) == (program.output,)
    else:
        assert names == kept


def test_a_product_of_parameters_is_not_kept():
    @cell
    def squared(x, h, *, W, M):
        return tanh(x @ W + h @ (M @ M + eye()))

    program = passed(squared)
    assert products_stored(program) == (program.output,)


def test_what_nothing_reads_is_not_kept():
    @cell
    def linear(x, h, *, W):
        return x @ W + 0.5 * h

    assert products_stored(passed(linear)) == ()


def test_of_a_history_only_the_parts_are_kept_that_gradients_need():
    program = passed(cells.tau_gru)
    history = next(state for state in program.states if "history" in state.name)
    wanted = (False, *(False for _ in program.states), *(True for _ in program.parameters))
    found = derive(plan(trace(cells.tau_gru)), Wishes(wanted))
    assert history not in found.schedule.rows
    assert [kept.shape for kept in found.kept] == [program.output.shape] * len(found.kept)
    assert {part.shape for part in parts_stored(program)} > {program.output.shape}


def test_parts_of_the_output_are_not_kept_beside_it():
    @cell
    def halves(x, h, *, W, U):
        a, b = split(h, 2)
        return tanh(x @ W + concat(a * b, a + b) @ U)

    assert parts_stored(passed(halves)) == ()
