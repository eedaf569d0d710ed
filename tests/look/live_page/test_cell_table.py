"""The tables of cells hold the sizes of real layers, for every form of every cell."""

import re

import pytest

from recurra import cells
from recurra.cells.feed_forward import linear
from recurra.errors import EquationError
from recurra.look.live_page.cell_table import cell_tables
from recurra.nn import Recurrent
from recurra.program import Size, Sizes
from tests.look.live_page.own_cells import OWN, lstm, wide

CHOSEN = (*cells.all().values(), *OWN)
TABLES = cell_tables(CHOSEN)


def form_of(table, number):
    """A form, which may be the number of the earlier one that it is as."""
    form = table["forms"][number]
    return table["forms"][form] if isinstance(form, int) else form


def numbers(shape, sizes):
    return tuple(Size.parse(size).value(sizes) for size in shape)


@pytest.mark.parametrize("is_projected", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("number", range(len(CHOSEN)), ids=[each["key"] for each in TABLES])
def test_a_form_is_that_of_a_layer(number, bias, is_projected):
    cell, table = CHOSEN[number], TABLES[number]
    form = form_of(table, bias + 2 * is_projected)
    if "error" in form:
        with pytest.raises(EquationError) as refused:
            Recurrent(cell, 10, 8, bias=bias, proj_size=4)
        assert form == {"error": re.sub(": with .* that is .*", "", str(refused.value))}  # the page adds the numbers
        assert is_projected
        return
    layer = Recurrent(cell, 10, 8, bias=bias, proj_size=4 * is_projected)
    sizes, rows = Sizes(10, 8, 4 * is_projected), table["rows"]
    shapes = {rows[row][0] + "_l0": numbers(rows[row][4], sizes) for row in form["parameters"]}
    assert shapes == {name: tuple(weight.shape) for name, weight in layer.named_parameters()}
    assert list(shapes) == list(layer.state_dict())
    assert tuple(numbers(rows[row][4], sizes)[0] for row in form["states"]) == layer.state_sizes
    assert numbers(form["output"], sizes) == (layer.output_size,)
    named = {variable.name: variable for variable in layer.program.variables() if variable.is_named}
    shown = {rows[row][0]: rows[row] for row in form["rows"]}
    assert set(named) <= set(shown)
    varying = layer.program.varying()
    for name, variable in named.items():
        assert numbers(shown[name][4], sizes) == tuple(size.value(sizes) for size in variable.shape)
        assert shown[name][5] == (variable in varying)
        assert shown[name][2]


def test_what_is_computed_names_its_equation():
    table = next(each for each in TABLES if each["python"] == "recurra.cells.lstm")
    sources = {row[0]: (row[1], row[3]) for row in table["rows"]}
    assert sources["c'"] == ("next", "f * c + i * g")
    assert sources["i"] == ("step", "sigmoid(a_i)")
    assert sources["x"] == ("input", "")
    (weight,) = (row for row in table["rows"] if row[0] == "weight_ih")
    assert weight[6][1] == (0, "hidden", "2*hidden", "f")


def test_values_of_parameters_alone_are_told_apart():
    table = next(each for each in TABLES if each["name"] == "antisymmetric_rnn")
    assert {row[0]: row[1] for row in table["rows"]}["A"] == "once"


def test_cells_of_one_name_have_keys_of_their_own():
    first, second = cell_tables([cells.lstm, lstm])
    assert (first["key"], first["group"], first["label"]) == ("lstm", "torch.nn's", "LSTM")
    assert (second["key"], second["group"], second["label"]) == ("lstm_2", "your own", "lstm")
    assert second["python"] == "lstm"
    assert second["layer"] == ""


def test_an_output_that_is_no_state():
    (table,) = cell_tables([wide])
    assert [form_of(table, number).get("gives_state") for number in range(4)] == [False] * 4
    assert form_of(table, 1)["output"] == ["input + hidden"]


def test_a_cell_without_a_state_is_refused():
    with pytest.raises(EquationError, match="has no state"):
        cell_tables([cells.lstm, linear])
