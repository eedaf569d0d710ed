"""`recurra series forecast`: to stdout, to files, of other tables, with inputs known ahead."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.series.tables import csv_of, months, one_series

Call = Any


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_to_stdout(call: Call, folder: Path) -> None:
    code, out, err = call("series", "forecast", folder / "run")
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert [row["month"] for row in rows] == months(6, "2021-01")
    assert list(rows[0])[:4] == ["month", "forecast", "q05", "q10"]


def test_to_files(call: Call, folder: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "forecast.csv", tmp_path / "forecast.html"
    command = ("series", "forecast", folder / "run", "--out", table, "--plot", page, "--level", "80,90")
    code, out, err = call(*command)
    assert (code, err) == (0, "")
    assert out == f"The forecast: 6 rows in {table}, drawn in {page}\n"
    assert list(rows_of(table.read_text())[0]) == ["month", "forecast", "q05", "q10", "q50", "q90", "q95"]
    assert 'class="band80"' in page.read_text()
    code, out, _ = call(*command, "--json")
    told = json.loads(out)
    assert (code, told["rows"], told["out"], told["horizon"]) == (0, 6, str(table), 6)
    assert "forecast" not in told


def test_as_json(call: Call, folder: Path) -> None:
    _, out, _ = call("series", "forecast", folder / "run", "--json")
    forecast = json.loads(out)["forecast"]
    assert forecast["month"] == months(6, "2021-01")
    assert len(forecast["q95"]) == 6


def test_of_another_table(call: Call, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "later.csv").write_text(csv_of(one_series(80)))
    code, out, _ = call("series", "forecast", folder / "run", tmp_path / "later.csv")
    assert code == 0
    assert rows_of(out)[0]["month"] == "2021-09"


def test_inputs_known_ahead(call: Call, folder: Path, tmp_path: Path) -> None:
    run, template = folder / "of shops", tmp_path / "future.csv"
    code, out, err = call("series", "forecast", run)
    assert (code, out) == (2, "")
    assert "series north needs known input promo until 2020-06" in err
    assert "--template" in err
    code, out, _ = call("series", "forecast", run, "--template", template)
    assert code == 0
    assert f"--future {template}" in out
    rows = rows_of(template.read_text())
    assert [row["promo"] for row in rows] == [""] * 12
    filled = {name: [row[name] or "0" for row in rows] for name in rows[0]}
    template.write_text(csv_of(filled))
    code, out, _ = call("series", "forecast", run, "--future", template)
    assert code == 0
    assert [row["shop"] for row in rows_of(out)] == ["north"] * 6 + ["south"] * 6
    assert call("series", "forecast", run, folder / "ahead.csv")[0] == 0


def test_an_exported_file(call: Call, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    shutil.copy(folder / "run" / "model.safetensors", file)
    assert call("series", "forecast", file, folder / "sales.csv")[1] == call("series", "forecast", folder / "run")[1]
    code, _, err = call("series", "forecast", file)
    assert code == 2
    assert "does not say which table it was trained on" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "there is no such run folder"),
        (["sales.csv"], "not a run folder, and no exported file either"),
        (["run", "none.csv"], "none.csv cannot be read"),
        (["run", "shops.csv"], "a time is there twice"),
        (["run", "--level", "80;90"], "--level must be per cents with commas between them"),
        (["run", "--level", "85"], "there is no interval of 85 %"),
        (["run", "--template", "t.csv"], "the model takes no known inputs"),
        (["run", "--future", "ahead.csv"], "trained without known inputs"),
        (["run", "--out", "none/forecast.csv"], "cannot be written"),
        (["run", "--plot", "none/forecast.html"], "cannot be written"),
    ],
)
def test_bad_input(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = call("series", "forecast", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
