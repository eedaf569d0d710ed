"""The pages of explanations in a browser: their tables hold what the explanation says."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import cells
from recurra.nn import LSTM, Recurrent

TABLES = """() => [...document.querySelectorAll("table")].map(
  (table) => [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)))"""


def packed():
    return pack_padded_sequence(torch.randn(5, 3, 4), [2, 5, 4], enforce_sorted=False)


def model():
    return nn.ModuleDict({"a": nn.GRU(3, 4, 2, bidirectional=True), "b": nn.LSTMCell(8, 5)})


CASES = {
    "layer": lambda: recurra.explain(LSTM(10, 20, 2, bidirectional=True), torch.zeros(5, 3, 10)),
    "packed": lambda: recurra.explain(Recurrent(cells.peephole_lstm, 4, 6, 7, batch_first=True), packed()),
    "model": lambda: recurra.explain(model()),
    "cell": lambda: recurra.explain(cells.antisymmetric_rnn),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_pages(check_page, tmp_path, case):
    explanation = CASES[case]()
    explanation.write(tmp_path / "page.html")
    page = check_page(tmp_path / "page.html")
    rows = [row for table in page.evaluate(TABLES) for row in table]
    for part in explanation.parts:
        for row in (*part.stack.sequences, *(v for group in part.stack.groups for v in group[0].variables)):
            assert any(cells[:4] == [row.name, row.numbers or row.shape, row.shape, row.meaning] for cells in rows)
        for layer in part.stack.layers:
            for parameter in layer.parameters:
                assert any(
                    cells[:2] == [parameter.name, parameter.numbers or parameter.shape]
                    and cells[3] == ("–" if parameter.count is None else f"{parameter.count:,}")
                    for cells in rows
                )
    drawing = page.locator("figure svg").first
    assert drawing.locator("title").inner_html().endswith("unrolled over time")
    assert page.locator("figure svg text").count() > 4


def test_a_notebook_s_cell(open_page, tmp_path):
    """The part for notebooks brings its own styles, and leaves those of the notebook as they are."""
    html = recurra.explain(LSTM(3, 4))._repr_html_()
    (tmp_path / "page.html").write_text(
        f'<!doctype html><meta charset="utf-8"><title>x</title><p id="own">x</p><table id="table"><td>x</table>{html}',
        encoding="utf-8",
    )
    page = open_page(tmp_path / "page.html")
    assert page.evaluate("getComputedStyle(document.querySelector('#table')).borderCollapse") == "separate"
    assert page.locator(".recurra-explanation svg.unrolled").count() == 1
