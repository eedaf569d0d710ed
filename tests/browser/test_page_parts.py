"""A page with every part of recurra.page, in a browser."""

import numpy as np
import pytest

from recurra.page.document import Document
from recurra.page.heat_map import HeatMap
from recurra.page.line_chart import Line, LineChart
from recurra.page.parts import CodeBlock, DataTable, Details, Figure, Section, Text

STATES = np.tanh(np.random.default_rng(0).normal(size=(12, 60)).cumsum(axis=1) / 3)
STATES[2, 3] = np.nan
TEXT = "the quick brown fox jumps over the lazy dog, twice and again"
NORMS = 10.0 ** -np.arange(12.0)
LOSSES = np.linspace(2.0, 1.0, 40) ** 2
TOKENS = [token if token != " " else "␣" for token in TEXT]  # as a reader sees them
DRAWING = '<svg viewBox="0 0 1200 40" width="1200"><text x="5" y="20" fill="currentColor">wide</text></svg>'


def every_part():
    units = [f"unit {number}" for number in range(12)]
    weeks = [f"week {number}" for number in range(60)]
    lines = [Line("training", np.arange(40), LOSSES), Line("validation", np.arange(0, 40, 8), LOSSES[::8], "dashed")]
    table = DataTable("Variables", ("name", "shape", "count"), [("f", "(batch, hidden)", "60"), ("i", "()", "1")], 0)
    rows = DataTable("Wide", [f"column {number}" for number in range(30)], [["1.5"] * 30])
    return (
        Text(["`h` is the state."]),
        Section("Losses", [LineChart("Loss", lines, "update", "nats"), Section("Table", [table, rows])]),
        Section(
            "States",
            [
                HeatMap("States", STATES, units, list(TEXT)),
                HeatMap("Norms", NORMS[None], ["lstm"], weeks[:12], "sequential", value_format=".2e"),
                Details("More", [HeatMap("Gates", STATES**2, units, weeks, "sequential", 0.0, 1.0, ".2f")]),
                LineChart("Norms", [Line("lstm", np.arange(12), NORMS)], "step", "norm", log_y=True),
            ],
        ),
        Figure(DRAWING, "A drawing that is wider than a phone", "A word"),
        CodeBlock("layer = torch.nn.LSTM(10, 20)  # " + "a long line " * 20),
    )


@pytest.fixture
def path(tmp_path):
    Document("Every part", every_part(), lead=("Each part once.",)).write(tmp_path / "page.html")
    return tmp_path / "page.html"


def test_every_part(check_page, path):
    page = check_page(path)
    page.locator("summary", has_text="More").press("Enter")
    assert page.get_by_role("application", name="Gates").is_visible()


def test_the_pointer_reads_cells(open_page, path):
    page = open_page(path)
    map_ = page.locator(".heat-map").first
    map_.scroll_into_view_if_needed()
    box = map_.locator(".cells").bounding_box()
    for row, column in ((0, 0), (11, 7), (5, 20), (2, 3)):
        page.mouse.move(box["x"] + (column + 0.5) * box["width"] / 60, box["y"] + (row + 0.5) * box["height"] / 12)
        expected = f"unit {row} · {TOKENS[column]} · {STATES[row, column]:.3f}"
        assert map_.locator(".readout").text_content() == expected
    page.mouse.move(0, 0)
    assert map_.locator(".readout").text_content().startswith("Point at a cell")


def test_the_keyboard_reads_cells(open_page, path):
    page = open_page(path)
    page.set_viewport_size({"width": 360, "height": 800})
    map_ = page.locator(".heat-map").first
    cells, readout = map_.locator(".cells"), map_.locator(".readout")
    row = column = 0
    cells.focus()
    for key, down, right in (
        ("ArrowUp", 0, 0),
        ("ArrowDown", 1, 0),
        ("ArrowRight", 0, 1),
        ("End", 0, 58),
        ("PageDown", 10, 0),
        ("ArrowLeft", 0, -1),
        ("Home", 0, -58),
    ):
        cells.press(key)
        row, column = row + down, column + right
        assert readout.text_content() == f"unit {row} · {TOKENS[column]} · {STATES[row, column]:.3f}"
        cursor, box = map_.locator(".cursor").bounding_box(), map_.locator(".scroll").bounding_box()
        assert box["x"] - 1 <= cursor["x"] <= box["x"] + box["width"]  # the cell is scrolled into view


def test_every_number_of_a_map_is_pythons(open_page, path):
    page = open_page(path)
    cells = page.locator(".cells").nth(1)
    cells.focus()
    for step in range(12):
        shown = page.locator(".readout").nth(1).text_content()
        assert shown == f"lstm · week {step} · {NORMS[step]:.2e}"
        cells.press("ArrowRight")


def test_a_chart_is_read_by_pointer_and_keyboard(open_page, path):
    page = open_page(path)
    plot = page.locator(".plot").first
    tip = plot.locator(".tip")
    page.keyboard.press("Tab")
    assert tip.locator("strong").text_content() == "update 39"
    plot.press("Home")
    assert tip.locator("dd").all_text_contents() == ["4", "4"]
    plot.press("ArrowRight")
    assert tip.locator("dd").all_text_contents() == [f"{LOSSES[1]:.5g}"]
    plot.press("Escape")
    assert not tip.is_visible()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 50)
    assert tip.locator("strong").text_content() == "update 39"
    assert tip.is_visible()
    inside = tip.bounding_box()
    assert inside["x"] + inside["width"] <= box["x"] + box["width"]
