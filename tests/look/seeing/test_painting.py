"""Painted texts and the parts of pages: the numbers that they show are those of the arrays."""

import html
import re

import numpy as np
import pytest
import torch
from torch import nn

from recurra import look
from recurra.look.seeing.painting import visible
from recurra.look.seeing.shades import shades, sparks


def test_every_token_has_its_value_and_its_colour():
    tokens, values = ["a", " <b>", "\n", "", "é"], np.array([0.25, -1.0, 0.0, 0.5, np.nan])
    page = look.PaintedText("unit 3", tokens, values).to_html()
    found = re.findall(r'<b(?: class="(\w+)")? data-v="([^"]+)">(.*?)</b>', page, re.S)
    assert [number for _, number, _ in found] == ["0.250", "-1.000", "0.000", "0.500", "nan"]
    assert [kind for kind, _, _ in found] == ["p2", "n10", "", "p5", ""]
    assert html.unescape(re.sub("<i.*?</i>", "", "".join(text for *_, text in found))) == "".join(tokens)
    centred = look.PaintedText("unit 3", tokens, values, centre=0.5).to_html()
    assert re.findall(r'class="([np]\d+)"', centred) == ["n2", "n10", "n3"]
    with pytest.raises(ValueError, match="each of 5 tokens"):
        look.PaintedText("unit 3", tokens, values[:2])


def test_long_texts_are_cut_and_white_space_is_seen():
    page = look.PaintedText("long", ["ab"] * 2000, np.zeros(2000)).to_html()
    assert page.count("<b data-v") == 1500
    assert "the first 1,500 of 2,000 tokens" in page
    assert [visible(token) for token in ("\n", " a", "  ", "", "\t")] == ["↵", "a", "␣␣", "∅", "⇥"]


def test_shades_by_hand():
    values = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    assert shades(values, 0.0, 1.0, 10) == [" ▒█", "█▒ "]
    assert shades(values[:2], 0.0, 1.0, 1) == ["░", "▓"]
    assert sparks(np.array([0.0, 1.0]), 0.0, 1.0, 10) == "▁█"
    assert sparks(np.array([3.0]), 3.0, 3.0, 10) == "▁"


@pytest.mark.parametrize("options", [{}, {"num_layers": 4, "bidirectional": True}])
def test_pages_stay_small_and_hold_the_numbers(options):
    torch.manual_seed(0)
    layer, x = nn.LSTM(4, 40, **options), torch.randn(150, 1, 4)
    gates = look.gates(layer, x, gradients=True, labels=["word"] * 150)
    page = gates.to_html()
    assert len(page.encode()) < 300_000
    assert "gradient of the loss for c" in page
    assert gates._repr_html_().startswith("<iframe srcdoc=")


def test_the_pages_of_reach_and_units():
    reach = look.gradient_reach(["rnn", "gru"], seq_len=20)
    page = reach.to_html()
    assert "∂h_T/∂h_t, gru" in page
    assert f"{reach['rnn'][-1]:.4g}"[:4] in page
    assert reach._repr_html_().startswith("<iframe")
    units = look.units(np.random.default_rng(0).normal(size=(60, 3)), {"even": np.arange(60) % 2 == 0})
    assert f"{units['even'].best.score:+.2f}" in units.to_html()
    assert units._repr_html_().startswith("<iframe")
