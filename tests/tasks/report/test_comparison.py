"""Runs side by side: what differs, the figures, and what makes them hard to compare."""

import json
import shutil
from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.report.comparison import compare_runs
from recurra.tasks.report.comparison_page import comparison_page


def test_texts(made: Path) -> None:
    compared = compare_runs([made / "lstm", made / "gru"])
    assert compared.names == ("lstm", "gru")
    assert compared.differing == {"model.cell": ("lstm", "gru"), "model.hidden": (12, 8)}
    assert compared.notes == ()
    figures = {each.key: each for each in compared.figures}
    for place, name in enumerate(compared.names):
        rows = [json.loads(line) for line in (made / name / "metrics.jsonl").read_text().splitlines()]
        best = min(rows, key=lambda row: row["valid_loss"])
        for key in ("perplexity", "bits_per_char", "valid_loss", "step"):
            assert figures[key].values[place] == best[key]
        assert figures["seconds"].values[place] == rows[-1]["seconds"]
    lower = min(figures["perplexity"].values)
    assert figures["perplexity"].best_places == (figures["perplexity"].values.index(lower),)
    starred = [text for text in compared.figure_rows()[0][1:] if text.endswith("*")]
    assert starred == [f"{lower:.3f} *"]


def test_series(made: Path) -> None:
    compared = compare_runs([made / "direct", made / "paths"])
    assert {each.key for each in compared.figures} >= {"mase", "wql", "coverage80", "coverage90", "weights"}
    assert any("different losses" in note for note in compared.notes)
    assert compared.differing["model"] == ("direct", "autoregressive")


def test_a_table_that_is_gone(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "direct", tmp_path / "gone"))
    config = json.loads((run / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone.csv")
    (run / "config.json").write_text(json.dumps(config))
    figures = {each.key: each for each in compare_runs([made / "direct", run]).figures}
    assert figures["mase"].values[0] is not None
    assert figures["mase"].values[1] is None
    assert figures["coverage80"].values[0] == figures["coverage80"].values[1]


def test_different_data(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "lstm", tmp_path / "lstm"))
    config = json.loads((run / "config.json").read_text())
    config["data"]["files"][0]["sha256"] = "0" * 64
    (run / "config.json").write_text(json.dumps(config))
    compared = compare_runs([made / "lstm", run])
    assert compared.names == (str(made / "lstm"), str(run))
    assert any("different data" in note for note in compared.notes)
    del config["data"]
    (run / "config.json").write_text(json.dumps(config))
    assert any("do not say" in note for note in compare_runs([made / "lstm", run]).notes)


def test_a_level_that_is_none(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "lstm", tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["text"]["level"] = ["char"]
    (run / "config.json").write_text(json.dumps(config))
    compared = compare_runs([run, made / "gru"])
    assert any("different tokens" in note for note in compared.notes)


def test_refusals(made: Path, tmp_path: Path) -> None:
    for folders, said in (
        ([made / "lstm"], "two runs or more"),
        ([made / "lstm", made / "lstm"], "is given twice"),
        ([made / "lstm", made / "direct"], "runs of different tasks have no figures in common: .*direct is of series"),
        ([made / "lstm", tmp_path / "none"], "there is no such run folder"),
        ([made / "lstm", tmp_path], "is not a run folder"),
    ):
        with pytest.raises(RunError, match=said) as error:
            compare_runs(folders)
        assert "\n" not in str(error.value)


def test_the_page(made: Path) -> None:
    html = comparison_page(compare_runs([made / "lstm", made / "gru"])).html()
    for part in ("Validation loss by update", "Validation loss by second", "model.cell", "recurra text train"):
        assert part in html
