"""The configuration of a run there and back through config.json, and damaged ones."""

import json
from dataclasses import replace

import pytest

from recurra.errors import RunError
from recurra.series.columns import NamedColumns
from recurra.tasks.run import RunFolder, create_run, open_run
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.configuration import TASK, check_source, config_of, read_config
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.table_settings import TableSettings
from recurra.tasks.sources import plain_source

SETTINGS = SeriesSettings(6, cell="lstm", seed=3)
TABLE = TableSettings(NamedColumns("month", ("sales",), ("shop",), known=("promo",)), "MS", None, "Europe/Berlin")


@pytest.fixture
def source(tmp_path):
    (tmp_path / "table.csv").write_text("month,sales\n2020-01,1\n")
    return plain_source(tmp_path / "table.csv")


@pytest.mark.parametrize("settings", [SETTINGS, AutoregressiveSettings(6, likelihood="poisson", seed=3)])
def test_there_and_back(tmp_path, source, settings):
    create_run(tmp_path / "run", config_of(settings, TABLE, source))
    assert read_config(open_run(tmp_path / "run", TASK)) == (settings, TABLE, source)
    create_run(tmp_path / "alone", config_of(settings, TableSettings(), None))
    assert read_config(open_run(tmp_path / "alone", TASK))[1:] == (TableSettings(), None)


def test_a_table_that_has_changed(tmp_path, source):
    assert check_source(source, "RUN") is source
    source.path.write_text("month,sales\n2020-01,2\n")
    with pytest.raises(RunError, match=r"table\.csv has changed since RUN was trained on it: name the table to use"):
        check_source(source, "RUN")
    source.path.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        check_source(source, "RUN")
    with pytest.raises(RunError, match="RUN was trained on a frame"):
        check_source(None, "RUN")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("model",), "other", "'model' must be one of direct, autoregressive"),
        (("model",), ["direct"], "'model' must be one of direct, autoregressive"),
        (("model",), "autoregressive", "'series' must hold"),
        (("series",), None, "'series' must hold"),
        (("series", "horizon"), 0, "--horizon"),
        (("series", "new"), 0, "'series' must hold"),
        (("training", "minutes"), "2", "--minutes"),
        (("table",), {}, "'table' must hold"),
        (("table", "frequency"), 1, "'frequency' of 'table' must be a text"),
        (("table", "on_gap"), "guess", "--on-gap"),
        (("table", "columns"), [], "'columns' of 'table' must hold"),
        (("table", "columns", "known"), "promo", "'columns' of 'table' must hold names"),
        (("table", "columns", "time"), 1, "'columns' of 'table' must hold names"),
        (("data",), {"path": "a"}, "a file of 'data' must have path, size and sha256"),
    ],
)
def test_damaged_configurations(tmp_path, source, place, value, message):
    content = json.loads(json.dumps(config_of(SETTINGS, TABLE, source)))
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(RunError, match=r"config\.json is damaged: ") as error:
        read_config(RunFolder(tmp_path, content))
    assert message in str(error.value)


def test_table_settings_out_of_range():
    with pytest.raises(RunError, match="--on-gap must be one of fill, error"):
        replace(TABLE, on_gap="guess").check()
