"""Programs are printed as a person would write them."""

import recurra
from recurra import cells, tanh
from recurra.compiler import plan, trace


def test_the_equations_with_shapes():
    assert (
        str(trace(cells.gru))
        == """\
gru(x, h)
  x                                                    (input)
  h                                                    (hidden)
  weight_ih                                            (3*hidden, input)
  weight_hh                                            (3*hidden, hidden)
  bias_ih                                              (3*hidden)
  bias_hh                                              (3*hidden)
  r_x, z_x, n_x = split(x @ weight_ih.T + bias_ih, 3)  (hidden)
  r_h, z_h, n_h = split(h @ weight_hh.T + bias_hh, 3)  (hidden)
  r = sigmoid(r_x + r_h)                               (hidden)
  z = sigmoid(z_x + z_h)                               (hidden)
  n = tanh(n_x + r * n_h)                              (hidden)
  h' = (1 - z) * n + z * h                             (hidden)
  return h'"""
    )


def test_brackets_where_python_needs_them():
    @recurra.cell
    def brackets(x, h, *, W, a, b):
        return tanh((h - (a - b)) / (a * b) ** 2 - -(h + a) * (x @ W) + 2.5)

    assert "tanh((h - (a - b)) / (a * b) ** 2 - -(h + a) * (x @ W) + 2.5)" in str(trace(brackets))


def test_a_plan_says_what_runs_when():
    assert (
        str(plan(trace(cells.mgu)))
        == """\
once per call:
  t1 = concat(W_f, W_n)  (input, 2*hidden)
before the loop, all steps at once:
  t2, t3 = partition(x @ t1, [hidden, hidden])  (hidden)
  t4 = t2 + b_f                                 (hidden)
  t5 = t3 + b_n                                 (hidden)
in every step:
  f = sigmoid(h @ U_f + t4)     (hidden)
  n = tanh((f * h) @ U_n + t5)  (hidden)
  h' = (1 - f) * h + f * n      (hidden)
after the loop, all steps at once:
  (nothing)"""
    )
