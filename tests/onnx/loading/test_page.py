"""The numbers in docs/onnx.md on how much of ONNX can be loaded."""

from pathlib import Path

import recurra.graph.operators  # noqa: F401  (fills the table)
from recurra.graph.table import NEWEST, OLDEST, rows
from tests.onnx import shipped

PAGE = (Path(__file__).parents[3] / "docs" / "onnx.md").read_text(encoding="utf-8")


def test_the_page_counts_the_operators():
    names = {row.name for row in rows()}
    assert names > {"RNN", "GRU", "LSTM"}
    assert f"| around them | {len(names) - 3} operators:" in PAGE


def test_the_page_says_which_opsets():
    assert f"| opsets | {OLDEST} to {NEWEST}." in PAGE


def test_the_page_counts_onnx_s_cases():
    cases = shipped.cases()
    assert f"Of {len(cases):,} node cases that onnx 1.23 ships" in PAGE
    recurrent = [case for case in cases if shipped.operators(case) & {"RNN", "GRU", "LSTM"}]
    assert f"(all {len(recurrent)} of RNN, GRU and LSTM)" in PAGE
    assert f"ships, {len(shipped.loadable_cases()):,} pass" in PAGE
