"""What is found out about a table, and what is said of it."""

import numpy as np
import pytest

from recurra.series.columns import NamedColumns
from recurra.tasks.series.opening import open_table, table_from
from recurra.tasks.series.table_settings import TableSettings
from tests.tasks.series.tables import csv_of, months, one_series, two_shops


def opened(table, settings=None, notes=None):
    return open_table(table_from(table), settings or TableSettings(), (notes if notes is not None else []).append)


def test_the_summary_is_one_line_with_what_overrules_it():
    table = opened(one_series())
    assert table.summary(table.usual_horizon) == (
        "time column month, target sales, monthly (MS), 72 rows of 1 series, season 12, horizon 12 months; "
        "overrule with --time, --target, --freq, --horizon"
    )


@pytest.mark.parametrize(("count", "horizon"), [(72, 12), (30, 10), (6, 2)])
def test_the_horizon_is_a_season_that_the_series_has_three_times(count, horizon):
    assert opened(one_series(count)).usual_horizon == horizon


def test_without_seasons_there_is_a_usual_horizon():
    values = np.random.default_rng(0).normal(size=100).cumsum().tolist()
    assert opened({"step": list(range(100)), "y": values}).usual_horizon == 12


@pytest.mark.parametrize(("shift", "least"), [(0, 0.0), (-200, None)])
def test_what_was_never_below_zero_is_not_forecast_below(shift, least):
    table = one_series()
    assert opened({**table, "sales": [value + shift for value in table["sales"]]}).least == least


def test_gaps_are_noted_or_refused():
    table, notes = one_series(), []
    table = {name: values[:20] + values[22:] for name, values in table.items()}
    made = opened(table, notes=notes)
    assert np.isnan(made.panel.target[0][20:22]).all()
    assert "2 missing rows" in notes[0]
    with pytest.raises(ValueError, match="no row for 2016-09"):
        opened(table, TableSettings(on_gap="error"))


def test_files_are_read(tmp_path):
    (tmp_path / "shops.csv").write_text(csv_of(two_shops()))
    settings = TableSettings(NamedColumns(known=("promo",)))
    made = open_table(table_from(tmp_path / "shops.csv"), settings, print)
    assert made.form.ids == ("shop",)
    assert made.names == (("promo",), ())
    assert made.panel.ids == ("north", "south")
    assert months(1) == ["2015-01"]


def test_series_that_are_too_short_to_learn_from_are_noted():
    table = {"id": ["a"] * 30 + ["b"] * 5, "month": months(30) + months(5), "y": [*range(30), *range(5)]}
    notes = []
    opened(table).note_short(5, notes.append)
    assert [note.split(":")[0] for note in notes] == ["1 series have no more values than the horizon of 5 (b)"]
    opened(one_series()).note_short(100, notes.append)
    assert len(notes) == 1


def test_rows_are_kept_where_known_inputs_may_stand_in_them():
    alone = opened(one_series())
    assert len(alone.without_rows().table) == 0
    assert alone.without_rows().panel is alone.panel
    table = {**one_series(), "promo": [0, 1] * 36}
    known = opened(table, TableSettings(NamedColumns(known=("promo",))))
    assert known.without_rows() is known
