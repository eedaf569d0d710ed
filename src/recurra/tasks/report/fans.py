"""The parts of a page that show forecasts as fans: their key, a chart for each series, and the numbers."""

from __future__ import annotations

from recurra.page.document import PagePart
from recurra.page.parts import Details, Section, Text
from recurra.tasks.report.forecasts import DrawnForecasts
from recurra.tasks.series.picture.page import Keys, numbers

MOST_ROWS = 120  # of a table of numbers; the keys read out those of longer forecasts


def fan_parts(drawn: DrawnForecasts) -> list[PagePart]:
    """The charts of forecasts, with their sentence and key."""
    parts: list[PagePart] = [Text([drawn.sentence]), Keys(drawn.charts, drawn.naive or "naive forecast")]
    for chart in drawn.charts:
        of_chart: list[PagePart] = [chart]
        if len(chart.fans[0].quantiles) <= MOST_ROWS:
            of_chart.append(Details("The forecast in numbers", [numbers(chart)]))
        parts += [Section(chart.name, of_chart)] if len(drawn.charts) > 1 else of_chart
    return parts
