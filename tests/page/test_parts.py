"""Sections, tables, figures and code as HTML."""

from recurra.page.parts import CodeBlock, DataTable, Details, Figure, Section, Text
from tests.page.elements import Elements, of_class


def test_sections_inside_have_smaller_headings():
    html = Section("a", [Section("b", [Section("c", [])]), Text(["d"])]).html()
    assert [tag for tag, _ in Elements(html).found if tag.startswith("h")] == ["h2", "h3", "h4"]


def test_backticks_mark_code():
    assert Text(["call `f(<x>)` twice"]).html() == "<p>call <code>f(&lt;x&gt;)</code> twice</p>\n"
    assert Text(["a ` alone"]).html() == "<p>a ` alone</p>\n"


def test_a_table_tells_numbers_from_texts():
    rows = [("f", "(batch, hidden)", "1,200", "−0.5"), ("g", "", "3", "1.25×10⁻⁹")]
    html = DataTable("Counts & shapes", ("", "shape", "count", "mean"), rows, own_row=1).html()
    page = Elements(html)
    assert [attrs["scope"] for attrs in page.of("th")] == ["col"] * 3 + ["row"] * 2
    assert len(of_class(html, "number")) == 2 * 3
    assert len(of_class(html, "own")) == 1
    assert html.index('class="own"') > html.index("1,200")
    (box,) = of_class(html, "scroll")
    assert (box["tabindex"], box["aria-label"]) == ("0", "Counts & shapes")


def test_long_texts_and_code_are_marked():
    html = DataTable("", ("name", "shape", "meaning"), [("f", "(3, 20)", "how much " * 9)], code=(0, 1)).html()
    assert html.count("<code>") == 2
    assert '<th scope="row"><code>f</code></th>' in html
    assert [attrs.get("class") for attrs in Elements(html).of("td")] == [None, "long"]


def test_a_table_of_numbers_marks_no_cell():
    html = DataTable("", ("", "MASE", "CRPS"), [("recurra", "0.7", "–"), ("naive", "1", "2e-05")]).html()
    assert len(of_class(html, "numbers")) == 1
    assert not of_class(html, "number")


def test_a_table_may_be_empty():
    assert len(Elements(DataTable("", ("a", "b"), []).html()).of("tr")) == 1


def test_pictures_have_a_text():
    (picture,) = of_class(Figure("<svg></svg>", "A `cell`", 'It "turns"').html(), "scroll")
    assert (picture["role"], picture["aria-label"]) == ("img", 'It "turns"')


def test_code_stays_as_it_is():
    assert "<code>a = b &lt; c\n  d</code>" in CodeBlock("a = b < c\n  d").html()


def test_details_are_folded_in():
    (details,) = Elements(Details("More", [Text(["x"])]).html()).of("details")
    assert "open" not in details
