"""Small tables for tests, as the text of CSV files and as panels."""

from recurra.series.columns import NamedColumns
from recurra.series.guessing import guess_format
from recurra.series.panels import panel_of
from recurra.series.reading import read_table


def months(count, first="2020-01"):
    year, month = map(int, first.split("-"))
    return [f"{year + (month - 1 + i) // 12}-{(month - 1 + i) % 12 + 1:02d}" for i in range(count)]


def csv_text(header, *rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def read_text(folder, text, name="data.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_table(path)


def panel_from(folder, text, *, on_gap="fill", notes=None, named=None, **options):
    """The panel and the format of a CSV text."""
    table = read_text(folder, text)
    form = guess_format(table, NamedColumns(**(named or {})), **options)
    return panel_of(table, form, on_gap, (lambda line: None) if notes is None else notes.append), form
