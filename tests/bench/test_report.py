"""The page shows all figures, and names those that are missing."""

import re

import pytest

from recurra.bench.machine import caches, machine, processors
from recurra.bench.markdown import digits, size
from recurra.bench.records import CaseTimes, Started, append, read
from recurra.bench.report import Report
from recurra.bench.rows import FROZEN, Spread, rows
from recurra.bench.run import Outcome
from recurra.bench.settings import BenchSettings
from tests.bench.outcomes import CASE, LINES, MACHINE


@pytest.fixture
def page():
    settings = BenchSettings(quick=True, only="gru|stream")
    missing = {"openvino": ("openvino",)}
    return Report(Outcome(settings, MACHINE, "2030-01-01 00:00 UTC", 90.0, 0.5, LINES, missing, (2,))).page()


def test_where_and_how(page):
    assert "| command | `recurra bench --quick --only 'gru\\|stream'` |" in page
    assert "| date | 2030-01-01 00:00 UTC, 1.5 minutes; load of the machine before: 0.50 |" in page
    assert "| caches | L1 32 KiB, L2 1.5 MiB shared |" in page
    assert "| packages | torch 2.13, numpy 2.4 |" in page
    assert "| recurra's engine | native |" in page
    assert "| not installed: openvino | openvino missing; its rows are left out |" in page
    assert "| 2 threads | left out" in page
    assert "| 1 | 110.0 | 100.0 | 200 | 100 | 20 |" in page
    assert "80 GFLOP/s at the 2.50 GHz" in page


def test_rows_of_a_peer(page):
    times = "| 20.0 (20.0–25.0) | 30.0 (30.0–40.0) | 1.50 (1.25–2.00) |\n"
    assert f"| gru | 100,32,28,128,1 | inference | 1 {times}" in page
    assert "| lstm | 1,1,128,128,1 | training | 1 | 0.0100" in page
    assert "| 0.80 (0.80–0.80) |\n" in page
    assert "| gru | 100,32,28,128,1 | inference | 1 | – | – | gone |\n" in page
    assert "Against onnxruntime" not in page


def test_shares(page):
    floor = (2 * 100 * 32 * 3 * 128 * (28 + 128)) / 1.1e11
    row = f"| {1e3 * floor:.2f} | {floor / 0.02:.2f} |\n"
    assert row in page


def test_memory(page):
    assert "| recurra | 25 MiB | 35 MiB | 25 MiB |" in page


def test_nothing_is_required(page):
    assert "required" not in page


def test_tables_are_whole(page):
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_a_page_without_figures():
    page = Report(Outcome(BenchSettings(), MACHINE, "2030-01-01", 1.0, None, (), {}, ())).page()
    assert "# Benchmark results" in page
    assert "At a glance" not in page


def test_ratios_are_of_the_rounds_of_both():
    record = CaseTimes(CASE.name, 1, {"recurra": [1.0, 2.0, 1.0, 2.0], "torch": [None, 6.0, None, 2.0]})
    (row,) = rows([record])
    assert row.ours.middle == 1.5
    assert row.ratio == Spread(1.5, 4.0 / 1.5, 2.5)


def test_who_holds_weights_is_compared_with_frozen_ones():
    record = CaseTimes(CASE.name, 1, {"recurra": [3.0], FROZEN: [2.0], "onnxruntime": [6.0], "torch": [6.0]})
    assert {row.peer: row.ratio.middle for row in rows([record])} == {"onnxruntime": 3.0, "torch": 2.0}


def test_records_travel(tmp_path):
    path = tmp_path / "records"
    assert list(read(path)) == []
    lines = [Started("a", 2), *LINES]
    for line in lines:
        append(path, line)
    assert list(read(path)) == lines


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00123456, "0.00123"), (0.0999999, "0.100"), (1, "1.00"), (99.96, "100"), (4321, "4321")],
)
def test_digits(value, text):
    assert digits(value) == text


def test_sizes():
    assert [size(value) for value in (500, 1 << 10, 3 << 19, 24 << 30)] == ["500 B", "1 KiB", "1.5 MiB", "24 GiB"]


def test_this_machine():
    found = machine()
    assert found.cpu
    assert found.cores == len(processors()) >= 1
    assert {"numpy", "torch"} <= set(found.versions)
    assert [cache.size for cache in caches()] == sorted(cache.size for cache in caches())
    assert all(cache.size % 4096 == 0 for cache in caches())
