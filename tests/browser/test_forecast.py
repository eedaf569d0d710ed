"""The page of forecasts in a browser: series are chosen, and numbers read out, by pointer and keyboard."""

import numpy as np
import pytest

from recurra.page.parts import DataTable
from recurra.series.forecast import LEVELS
from recurra.tasks.series.picture.chart import Chart, Fan
from recurra.tasks.series.picture.page import Page
from tests.tasks.series.picture.grids import Grid

MONTHS = Grid("2000-01", "M")
STEPS = np.arange(96)
VALUES = 200 + STEPS + 30 * np.sin(STEPS * np.pi / 6)


def times(positions):
    return MONTHS.times(positions).astype("datetime64[M]").astype(str).tolist()


def chart(name, level=0.0):
    ahead = np.arange(96, 108)
    middle = level + 200 + ahead + 30 * np.sin(ahead * np.pi / 6)
    quantiles = middle[:, None] + 40 * (np.array(LEVELS)[None] - 0.5)
    return Chart(name, 0, level + VALUES, (Fan(96, LEVELS, quantiles, middle - 12),), MONTHS, times)


@pytest.fixture
def path(tmp_path):
    table = DataTable(
        "On left-out data", ("", "MASE", "coverage"), (("recurra", "0.71", "88 %"), ("naive", "1", "–")), 0
    )
    sentences = ("The median errs by 3.1 % on average.",)
    page = Page("Passengers: the next 12 months", (chart("north"), chart("south", 1000.0)), 2, sentences, table)
    (tmp_path / "forecast.html").write_text(page.html(), encoding="utf-8")
    return tmp_path / "forecast.html"


def test_the_page(check_page, path):
    page = check_page(path)
    chooser = page.get_by_label("Series")
    assert page.locator("svg:visible").get_attribute("aria-label") == "Forecast of north"
    chooser.press("ArrowDown")
    assert page.locator("svg:visible").get_attribute("aria-label") == "Forecast of south"
    page.locator("summary:visible").press("Enter")
    assert page.locator("table:visible").nth(1).locator("tbody tr").first.locator("td").nth(2).text_content() == "1,296"


def test_numbers_are_read_out(open_page, path):
    page = open_page(path)
    plot = page.locator(".plot:visible")
    plot.focus()
    plot.press("End")
    terms = dict(zip(plot.locator("dt").all_text_contents(), plot.locator("dd").all_text_contents(), strict=True))
    median = 200 + 107 + 30 * np.sin(107 * np.pi / 6)
    assert plot.locator("strong").text_content() == "2008-12"
    assert terms == {
        "Forecast": f"{median:.0f}",
        "80 % interval": f"{median - 16:.0f} to {median + 16:.0f}",
        "90 % interval": f"{median - 18:.0f} to {median + 18:.0f}",
        "Naive": f"{median - 12:.0f}",
    }
    plot.press("Home")
    assert plot.locator("dd").all_text_contents() == ["200"]
