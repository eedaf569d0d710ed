"""Programs that skip steps: states and outputs stay where the mask is not above 0."""

import numpy as np
import pytest

from recurra import cells
from recurra.compiler import trace
from recurra.compiler.masks import with_mask_in_input
from recurra.packed.packed_program import PackedProgram
from recurra.packed.packing import run_sequences
from recurra.program import Sizes, from_json, to_json


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "janet"])
def test_skipped_steps_change_nothing(name, reverse):
    random = np.random.default_rng(0)
    program = from_json(to_json(with_mask_in_input(trace(cells.all()[name]))))
    plain, sizes = trace(cells.all()[name]), Sizes(3, 4)
    parameters = [random.standard_normal([size.value(sizes) for size in each.shape]) for each in plain.parameters]
    x = random.standard_normal((7, 1, 3))
    seen = np.array([0, 1, 1, 0, 1, 0, 0])
    whole = np.concatenate([x, seen[:, None, None]], 2)
    zeros = [np.zeros((1, 4)) for _ in plain.states]
    output, last = run_sequences(PackedProgram(program, parameters, sizes, reverse), whole, [*zeros, zeros[0]], None)
    kept, states = run_sequences(PackedProgram(plain, parameters, sizes, reverse), x[seen > 0], zeros, None)
    places = range(7)[::-1] if reverse else range(7)
    expected, held = np.empty((7, 1, 4)), np.zeros((1, 4))
    rows = iter(kept[::-1] if reverse else kept)
    for place in places:
        held = next(rows) if seen[place] else held
        expected[place] = held
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-12)
    for state, known in zip(last, [*states, held], strict=True):
        np.testing.assert_allclose(state, known, rtol=0, atol=1e-12)
