"""docs/zoo.md is that of the cells and of the measured figures, whose rows it shows as people read them."""

from recurra import cells
from tests import zoo_page
from tests.zoo_page import PAGE, figure, page, results, speeds


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.zoo_page"


def test_every_cell_has_a_row():
    text = page()
    assert not [name for name in cells.all() if f"\n| `{name}` |" not in text]


def test_measured_speeds():
    shape, ms = "100,1,32,32", {"recurra": 0.4321, "loop": 15.1, "torchrecurrent": 21.6}
    rows = [
        {"cell": "mgu", "shape": shape, "mode": "inference", "ms": ms},
        {"cell": "lstm", "shape": shape, "mode": "inference", "ms": {"recurra": 1.0, "loop": 30.0}},
    ]
    measured = {"cpu": "A CPU", "threads": 1, "torch": "2.13", "date": "2026-01-01", "rows": rows}
    text = speeds(measured)
    assert "A CPU, 1 thread, torch 2.13, 2026-01-01." in text
    assert "| cell | 100,1,32,32 inference |\n|---|---|\n| `mgu` | 0.432, 34.9 ×, 50 × |" in text
    assert figure(rows[1]["ms"]) == "1, 30 ×, –"


def test_known_results():
    row = {
        "task": "digits",
        "cell": "lstm",
        "layers": 1,
        "hidden": 64,
        "seed": 0,
        "updates": 1200,
        "seconds": 9.5,
        "threads": 1,
    }
    text = results([{**row, "result": 0.9528, "reached": True, "cpu": "A CPU"}])
    assert text.splitlines()[-1] == "| digits | `lstm` | 1 | 64 | 0 | 1,200 | 9.5 | 95.28% | yes | 1 | A CPU |"


def test_figures_are_shown_where_there_are_some(tmp_path, monkeypatch):
    assert "benchmarks" in zoo_page.SPEEDS.parts
    monkeypatch.setattr(zoo_page, "SPEEDS", tmp_path / "none.json")
    assert "have not been measured" in page()
