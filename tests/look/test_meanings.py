"""Words of variables, and the pieces of parameters that they come from, against what the equations compute."""

import numpy as np
import pytest

import recurra
from recurra import cells, relu
from recurra.compiler import drop_biases, plan, trace
from recurra.engines import Call, reference
from recurra.look.meanings import meanings
from recurra.look.provenance import Origins, cuts
from recurra.look.words import WORDS
from recurra.program import Sizes
from tests.look.written import gated, hidden_output

SIZES = Sizes(input=3, hidden=4)


@recurra.cell
def gru(x, h, *, W, U, b):
    """Another cell of a known name."""
    z = recurra.sigmoid(x @ W + h @ U + b)
    return z * h


def test_every_variable_of_the_zoo_has_words():
    assert set(WORDS) < set(cells.all())
    for name, cell in cells.all().items():
        program = trace(cell)
        named = {variable.name for variable in program.variables() if variable.is_named}
        words = meanings(program)
        assert set(words) == named
        assert all(words.values())
        if name in WORDS:
            assert words == WORDS[name]


def test_words_that_give_the_range_of_tanh_are_not_those_of_another_activation():
    words = meanings(trace(cells.lstm, {"activation": "relu"}))
    assert words["g"] == "relu of a sum, from 0, scaled by i"
    assert meanings(trace(cells.lstm, {"cell_clip": 3.0}))["f"] == "gate, from 0 to 1: multiplies c"


def test_options_projections_and_dropped_biases_keep_the_words():
    assert meanings(trace(cells.rnn, {"nonlinearity": relu}))["weight_ih"] == "input-to-hidden weights"
    assert meanings(trace(cells.antisymmetric_rnn, {"epsilon": 0.3}))["A"] == WORDS["antisymmetric_rnn"]["A"]
    words = meanings(drop_biases(trace(cells.lstm, projected=True)))
    assert words["f"] == WORDS["lstm"]["f"]
    assert words["h'"] == "new hidden state, before its projection"
    assert words["weight_hr"] == "weights of the projection of h"


def test_another_cell_of_a_known_name_has_words_of_its_own_equations():
    words = meanings(trace(gru))
    assert words["z"] == "gate, from 0 to 1: multiplies h"
    assert words["W"] == "weights from x, for z"


def test_words_that_follow_from_equations():
    words = meanings(trace(gated))
    assert words["z"] == "gate, from 0 to 1: multiplies h; 1 - z multiplies tanh(…)"
    assert words["U_z"] == "weights from h, for z"
    assert words["b"] == "bias, for the new h"
    words = meanings(trace(hidden_output))
    assert words["s"] == "state s, from the step before"
    assert words["a_k"] == "k before its sigmoid"
    assert words["v"] == "tanh of a sum, from -1 to 1, scaled by k"
    assert words["V"] == "weights from k * h, for y"
    assert words["d"] == "a number for each unit, for the new s"
    assert words["y"] == "the output of this step"


def values_of(program, parameters):
    """The traced variables after one step."""
    draw = np.random.default_rng(0)
    call = Call(
        draw.normal(size=(1, 2, program.input.width(SIZES))),
        None,
        [draw.normal(size=(2, state.width(SIZES))) for state in program.states],
        parameters,
        SIZES,
    )
    return reference().build(plan(program, traced=True)).forward(call).traced


# Not those with parts that other parts of the step read, so that a variable changes with more than its own piece.
LAYERED = (cells.rhn, cells.clockwork_rnn)


@pytest.mark.parametrize(
    "cell", [cell for cell in (*cells.all().values(), hidden_output) if cell not in LAYERED], ids=lambda cell: cell.name
)
def test_a_piece_of_a_parameter_is_all_that_its_variables_read(cell):
    program = trace(cell)
    draw = np.random.default_rng(1)
    shapes = [tuple(size.value(SIZES) for size in parameter.shape) for parameter in program.parameters]
    parameters = [draw.normal(size=shape) for shape in shapes]
    before = values_of(program, parameters)
    named = [variable for equation in program.equations for variable in equation.results if variable.is_named]
    latest = {variable.name.partition("'")[0]: variable for variable in named}  # what traces have under each name
    origins = Origins(program)
    for parameter, pieces in cuts(program, origins).items():
        number = program.parameters.index(parameter)
        for piece, readers in pieces.items():
            begin, end = piece.numbers(SIZES)
            changed = [array.copy() for array in parameters]
            changed[number] += 1
            place = np.s_[begin:end] if piece.axis == 0 or len(parameter.shape) == 1 else np.s_[:, begin:end]
            changed[number][place] -= 1
            after = values_of(program, changed)
            changed = [array.copy() for array in parameters]
            changed[number][place] += 1
            moved = values_of(program, changed)
            for name in [name for name, variable in latest.items() if variable in readers and name in before]:
                assert np.allclose(after[name], before[name]), (parameter.name, name)
                assert not np.allclose(moved[name], before[name]), (parameter.name, name)


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru], ids=lambda cell: cell.name)
def test_stacked_parameters_are_cut_into_gates(cell):
    program = trace(cell)
    pieces = cuts(program, Origins(program))[program.parameters[0]]
    assert [piece.numbers(SIZES) for piece in pieces] == [(n, n + 4) for n in range(0, 4 * len(pieces), 4)]
