"""`recurra series backtest`: of a table, of a run, and of a run on a later table."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.series.conftest import TINY
from tests.tasks.series.tables import csv_of, one_series

Call = Any


def test_of_a_table(call: Call, folder: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "tested.csv", tmp_path / "tested.html"
    command = ("series", "backtest", folder / "sales.csv", *TINY, "--origins", 3, "--out", table, "--plot", page)
    code, out, err = call(*command)
    assert (code, err) == (0, "")
    assert out.startswith("time column month")
    assert "MASE" in out
    assert "seasonal naive with growth" in out
    assert "trained once, on what was known at the first origin" in out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 18
    assert list(rows[0])[:4] == ["month", "cutoff", "sales", "forecast"]
    assert page.read_text().count('class="origin"') == 3


def test_of_a_run(call: Call, folder: Path) -> None:
    code, out, err = call("series", "backtest", folder / "run", "--origins", 2, "--refit", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["origins"], told["refitted"], told["horizon"]) == (2, True, 6)
    assert set(told["measures"]) == {"model", "last value", "seasonal naive", "seasonal naive with growth"}


def test_of_a_run_on_a_later_table(call: Call, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "later.csv").write_text(csv_of(one_series(90)))
    code, out, _ = call("series", "backtest", folder / "run", tmp_path / "later.csv", "--origins", 2, "--step", 4)
    assert code == 0
    assert "The model was taken as it is" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--horizon", "3"], "a run has its own settings: leave out --horizon"),
        (["sales.csv", "shops.csv"], "sales.csv is no run"),
        (["run", "sales.csv", "--refit"], "--refit is for the table that a run was trained on"),
        (["sales.csv", "--origins", "0"], "--origins must be a whole number"),
        (["sales.csv", "--cell", "gruu"], "--cell must be one of"),
        (["sales.csv", "--horizon", "60"], "a backtest over a horizon of 60 needs"),
    ],
)
def test_bad_input(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    code, _, err = call("series", "backtest", *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err
