"""The kinds of time loops: of written cells, with the reasons in words."""

import pytest

import recurra
from recurra import cell, cells, concat, sigmoid, split, tanh, where
from recurra.compiler import plan, trace


def kind(written):
    scheduled = plan(trace(written))
    return scheduled.kind, scheduled.reason


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("lstm", "product", "`h @ weight_hh.T` multiplies a state by a matrix in every step"),
        ("gru_reset_before", "product", "`h @ U_r`, `h @ U_z` and `(r * h) @ U_n` multiply states, or values computed"),
        ("indrnn", "elementwise", "but `relu(x @ W + u * h + b)` is not affine in `h`"),
        ("min_gru", "affine", "`h' = (1 - z) * h + z * n`: no factor of `h` depends on it"),
    ],
)
def test_cells_of_the_zoo(name, expected, reason):
    found, why = kind(cells.all()[name])
    assert found == expected
    assert reason in why


def test_a_linear_map_of_the_state_is_a_product():
    @cell
    def linear(x, h, *, W, U):
        return x @ W + h @ U

    found, why = kind(linear)
    assert found == "product"
    assert "It is affine in the states, but a scan over time would multiply whole matrices." in why


def test_a_mean_joins_all_units():
    @cell
    def normed(x, h, *, W):
        return recurra.rms_norm(h) + x @ W

    assert kind(normed) == ("product", "`mean(h * h)` joins the units of a state in every step, as a product does.")


def test_two_states_that_are_affine_together():
    @cell
    def rotated(x, re, im, *, A, B, a, b):
        new_re = a * re - b * im + x @ A
        new_im = b * re + a * im + x @ B
        return new_re, new_im

    found, why = kind(rotated)
    assert found == "affine"
    assert why.startswith("`new_re = a * re - b * im + x @ A` and `new_im = b * re + a * im + x @ B`: no factor")


def test_parts_of_one_state_are_affine_together():
    @cell
    def rotated(x, h, *, A, a, b):
        re, im = split(h, 2)
        return concat(a * re - b * im, b * re + a * im) + x @ A

    assert kind(rotated)[0] == "affine"


def test_a_state_may_decide_the_factors_of_one_that_does_not_decide_it():
    @cell
    def follows(x, h, c, *, W, V):
        c = 0.9 * c + x @ W
        h = sigmoid(c) * h + tanh(c) * (x @ V)
        return h, c

    @cell
    def decides(x, h, c, *, W, V):
        c = 0.9 * c + h + x @ W
        h = sigmoid(c) * h + x @ V
        return h, c

    assert kind(follows)[0] == "affine"
    found, why = kind(decides)
    assert found == "elementwise"
    assert "`sigmoid(c')` is not affine in `h` and `c`" in why


def test_a_choice_by_a_counter_is_affine_and_one_by_the_state_is_not():
    @cell
    def counted(x, h, n, *, W):
        n = n + 1
        h = where(n - 2 * recurra.floor(n / 2) > 0.5, x @ W, 0.5 * h)
        return h, n

    @cell
    def switched(x, h, *, W):
        return where(h > 0, x @ W, 0.5 * h)

    assert kind(counted)[0] == "affine"
    assert kind(switched)[0] == "elementwise"
    assert kind(switched)[1].startswith("No product with a state is in it, but `h > 0` is not affine in `h`")


@pytest.mark.parametrize("written", [lambda h: 1 / h, lambda h: h * h, lambda h: h**2, abs])
def test_what_is_not_affine(written):
    @cell
    def nonlinear(x, h, *, W):
        return x @ W + written(h)

    assert kind(nonlinear)[0] == "elementwise"


def test_products_that_leave_the_loop_do_not_count():
    @cell(output="y")
    def read_out(x, h, *, W, U):
        h = 0.5 * h + x @ W
        y = tanh(h @ U)
        return h

    assert kind(read_out)[0] == "affine"


def test_a_state_that_no_state_decides():
    @cell(output="y")
    def previous(x, before, *, W, V, U):
        y = tanh(x @ W + before @ U)
        return x @ V

    assert kind(previous) == ("affine", "No new state is computed from a state: all steps run at once.")


def test_many_products_are_counted():
    @cell
    def wide(x, h, *, A, B, C, D, E, W):
        return tanh(h @ A) + tanh(h @ B) + tanh(h @ C) + tanh(h @ D) + tanh(h @ E) + x @ W

    assert kind(wide)[1].startswith("`h @ A`, `h @ B`, `h @ C` and 2 more multiply")


def test_explanations_say_it():
    explanation = recurra.explain(recurra.nn.Recurrent(cells.min_gru, 3, 4))
    found, why = kind(cells.min_gru)
    assert f"the loop over time is of the kind 'affine': {why[:20]}" in str(explanation)
    assert "The loop over time is of the kind affine" in explanation.to_html()
    assert explanation.to_dict()["parts"][0]["loop"] == {"kind": found, "reason": why}
