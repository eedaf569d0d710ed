"""The table of record: what is required stands beside each figure, and what is not met at the end."""

import re

import pytest
import typer
from benchmarks.record import sections, with_run
from benchmarks.results import JudgedReport

from benchmarks import results
from recurra.bench.run import Outcome
from recurra.bench.settings import BenchSettings
from tests.bench.outcomes import LINES, MACHINE


@pytest.fixture
def page():
    settings = BenchSettings(quick=True, only="gru|stream")
    return JudgedReport(Outcome(settings, MACHINE, "2030-01-01 00:00 UTC", 90.0, 0.5, LINES, {}, ())).page()


def test_rows(page):
    assert "| 1.50 (1.25–2.00) | 1.20 | yes |" in page
    assert "| 0.80 (0.80–0.80) | 1.00 | **no** |" in page
    assert "| gru | 100,32,28,128,1 | inference | 1 | – | – | gone | 1.30 | **no** |" in page


def test_groups(page):
    assert "| torch.nn | gru | inference | 1 | 1 | 1.50 | 1.50 | 1 of 1 |" in page
    assert "| torch.nn | lstm | training | 1 | 1 | 0.80 | 0.80 | 0 of 1 |" in page


def test_shares(page):
    floor = (2 * 100 * 32 * 3 * 128 * (28 + 128)) / 1.1e11
    assert f"| {1e3 * floor:.2f} | {floor / 0.02:.2f} | 0.85 | **no** |" in page


def test_the_end(page):
    end = page[page.index("## Summary") :]
    assert "| ratio to torch.nn | 1 | 1 |" in end
    assert "| ratio to jax | 0 | 1 |" in end
    assert "| share of the floor | 0 | 1 |" in end
    assert "- stream lstm 1,1,128,128,1 training, 1 thread, against torch.nn: 0.80, required 1.00" in end
    assert "against jax (gone): no figure, required 1.30" in end
    met, unmet = map(int, re.search(r"(\d+) met, (\d+) not met", end).groups())
    assert unmet == end.count("\n- ")
    assert met == 1


def test_tables_are_whole(page):
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_a_page_without_figures():
    page = JudgedReport(Outcome(BenchSettings(), MACHINE, "2030-01-01", 1.0, None, (), {}, ())).page()
    assert "# Benchmark results" in page
    assert "Summary" not in page


@pytest.mark.parametrize(("options", "is_written"), [({}, True), ({"quick": True}, False)])
def test_a_full_run_writes_the_table(monkeypatch, tmp_path, capsys, options, is_written):
    def found(settings):
        return Outcome(settings, MACHINE, "2030-01-01 00:00 UTC", 90.0, 0.5, LINES, {}, ())

    monkeypatch.setattr("recurra.bench.run.run", found)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    results.main(**options)
    output = capsys.readouterr().out
    page = results.RESULTS.read_text(encoding="utf-8") if is_written else output
    assert ("### Summary" in page) == is_written
    assert ("## On AMD Zen 4" in page) == is_written
    assert results.RESULTS.exists() == is_written


def test_a_section_for_each_kind(page):
    once = with_run("", "AMD Zen 4", page)
    both = with_run(once, "Intel Sapphire Rapids", page.replace("2030-01-01", "2031-02-03"))
    again = with_run(both, "AMD Zen 4", page.replace("2030-01-01", "2032-04-05"))
    assert list(sections(again)) == ["AMD Zen 4", "Intel Sapphire Rapids"]
    assert sections(again)["Intel Sapphire Rapids"] == sections(both)["Intel Sapphire Rapids"]
    assert "- AMD Zen 4: 2032-04-05 00:00 UTC\n- Intel Sapphire Rapids: 2031-02-03 00:00 UTC" in again
    assert len(re.findall("^# ", again, re.MULTILINE)) == 1
    assert with_run(again, "AMD Zen 4", page.replace("2030-01-01", "2032-04-05")) == again


def test_errors_are_lines(capsys):
    with pytest.raises(typer.Exit) as leaving:
        results.main(only="nothing")
    assert leaving.value.exit_code == 2
    assert capsys.readouterr().err.startswith("recurra: nothing is left to time")
