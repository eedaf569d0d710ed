"""The facts of cells: papers as docstrings name them, products inside and outside of the loop."""

import pytest

from recurra import cell, cells, sigmoid, tanh
from recurra.compiler import trace
from recurra.look.cell_facts import cell_facts, paper, zoo_facts


@cell(output="y")
def reader(x, h, *, W, U, V, C):
    """A cell whose output is read off by two products. It has no paper."""
    h = tanh(x @ W + h @ U)
    y = tanh(h @ V) @ C
    return h


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ("A unit (Li et al. 2018, eq. 2).", "Li et al. 2018"),
        ("A unit of Oliva, Póczos & Schneider (2017), eq. 3; see Li et al. (2019).", "Oliva, Póczos & Schneider 2017"),
        ("A unit\n(Gers & Schmidhuber\n2000) and more (Li 2018).", "Gers & Schmidhuber 2000"),
        ('A unit (Li & Ba, 2018, "Units", eq. 2).', "Li & Ba 2018"),
        ("A unit (2017, at a workshop).", "2017"),
        ("A unit (of 1024 features, or 2).", ""),
        ("", ""),
    ],
)
def test_the_paper_of_a_docstring(about, expected):
    assert paper(about) == expected


def test_the_first_sentence_leaves_the_paper_out():
    @cell
    def unit(x, h, *, W, U):
        """A unit (Li & Ba, 2018, "Units (U)", eq. 2) of sums: plain. It has no gate."""
        return tanh(x @ W + h @ U)

    facts = cell_facts(unit)
    assert (facts.summary, facts.paper) == ("A unit of sums: plain", "Li & Ba 2018")


def test_products_inside_and_outside_of_the_loop():
    facts = cell_facts(reader)
    assert (facts.products, facts.products_outside) == (1, 3)
    assert facts.summary == "A cell whose output is read off by two products"
    assert facts.states == ("h",)
    assert cell_facts(cells.mgu).products == 2  # the reset state is multiplied after the gate
    assert cell_facts(cells.min_gru).products == 0
    assert [cell_facts(cells.all()[name]).kind for name in ("mgu", "indrnn", "min_gru")] == [
        "product",
        "elementwise",
        "affine",
    ]


def test_an_option_changes_the_facts():
    @cell
    def optional(x, h, *, W, U, b, is_plain=True):
        gate = x @ W + b
        return h * sigmoid(gate if is_plain else gate + h @ U)

    assert cell_facts(optional, trace(optional, {"is_plain": False})).products == 1


def test_every_cell_of_the_zoo_has_a_paper():
    facts = {each.name: each for each in zoo_facts()}
    assert sorted(facts) == sorted(cells.all())
    assert not [name for name, each in facts.items() if not each.paper or not each.summary]
