"""hoist regroups sums, so that little of them is left in the time loop."""

from recurra import cell, cells, tanh
from recurra.compiler import hoist, plan, trace
from tests.compiler.outcomes import operations


def test_products_left_in_the_loop():
    expected = {
        "antisymmetric_rnn": 1,
        "atr": 1,
        "br": 0,
        "clockwork_rnn": 4,
        "co_rnn": 2,
        "dsgu": 3,
        "echo_state": 1,
        "ema": 0,
        "fast_grnn": 1,
        "fast_rnn": 1,
        "gated_antisymmetric_rnn": 1,
        "gru": 1,
        "gru_reset_before": 2,
        "indrnn": 0,
        "intersection_rnn": 1,
        "layer_norm_gru": 1,
        "layer_norm_lstm": 1,
        "lem": 2,
        "lmu": 3,
        "lru": 0,
        "lstm": 1,
        "mgu": 2,
        "min_gru": 0,
        "min_lstm": 0,
        "multiplicative_lstm": 2,
        "mut1": 2,
        "nas": 1,
        "on_lstm": 1,
        "peephole_lstm": 1,
        "res_lstm": 2,
        "rg_lru": 0,
        "rhn": 3,
        "rnn": 1,
        "scrn": 2,
        "slstm": 1,
        "sru": 0,
        "sru_v1": 0,
        "t_gru": 0,
        "t_lstm": 0,
        "t_rnn": 0,
        "unicornn": 0,
        "wmc_lstm": 3,
    }
    counts = {name: operations(plan(trace(cells.all()[name])).schedule.step).count("product") for name in expected}
    assert counts == expected


def test_hoist_takes_both_biases_and_the_input_out_of_the_loop():
    scheduled = plan(trace(cells.lstm)).schedule
    assert operations(scheduled.once) == ["transpose", "transpose", "add"]
    assert operations(scheduled.before) == ["product", "add"]
    assert operations(scheduled.step)[:3] == ["product", "add", "split"]
    assert scheduled.after == ()


def test_a_sum_is_not_regrouped_across_what_is_kept():
    @cell
    def summed(x, h, *, W, b, d):
        z = h + b
        return tanh((z + x @ W) + d)

    program = trace(summed)
    z = program.named()["z"]
    assert z not in {variable for equation in hoist(program).equations for variable in equation.results}
    kept = hoist(program, [z])
    assert [equation for equation in kept.equations if equation.results == (z,)] == [program.equations[0]]


def test_a_term_that_occurs_twice_is_added_twice():
    @cell
    def doubled(x, h, *, W, b):
        z = x @ W + b
        return tanh((z + z) + h)

    assert operations(hoist(trace(doubled)).equations) == ["product", "add", "add", "add", "tanh"]
