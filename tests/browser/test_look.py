"""The pages of recurra.look in a browser: gates, gradient reach, rankings, and a unit painted on a text."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra import look
from recurra.look.seeing.views import gate_sections, ranking_section, reach_section, saturation_section
from recurra.page.document import Document

TEXT = 'He said "no"\n  and (twice) left, "yes" & <so>.\n' * 2


@pytest.fixture
def gates():
    torch.manual_seed(0)
    return look.gates(nn.LSTM(3, 9), torch.randn(len(TEXT), 2, 3), sequence=1, gradients=True, labels=TEXT)


@pytest.fixture
def path(gates, tmp_path):
    parts = [
        ranking_section(look.units(gates)),
        look.PaintedText("c[4], layer 0", list(TEXT), gates["c"][:, 4], 0.1),
        *gate_sections(gates),
        saturation_section(gates),
        reach_section(look.gradient_reach(["rnn", "lstm"], seq_len=30)),
    ]
    Document("Inside a layer", parts, ["What is seen."]).write(tmp_path / "look.html")
    return tmp_path / "look.html"


def test_the_page(check_page, path):
    page = check_page(path)
    assert page.locator(".heat-map").count() == 8
    page.locator("summary", has_text="How to read the scores").press("Enter")
    assert page.get_by_text("Among many units some follow anything by chance").is_visible()


def test_the_painting_reads_out_python_s_numbers(open_page, path, gates):
    page = open_page(path)
    text, readout = page.locator(".painted .text"), page.locator(".painted .readout")
    values = gates["c"][:, 4]
    text.press("Home")
    for place in (0, 1, 2):
        assert readout.text_content() == f"token {place + 1}: {TEXT[place].replace(' ', '␣')} · {values[place]:.3f}"
        text.press("ArrowRight")
    text.press("End")
    assert readout.text_content() == f"token {len(TEXT)}: ↵ · {values[-1]:.3f}"
    page.locator(".painted b").nth(20).hover()
    assert readout.locator("strong").text_content() == f"{values[20]:.3f}"
    assert page.locator(".painted b.at").count() == 1
    text.press("Home")
    text.press("ArrowDown")
    assert readout.text_content().startswith(f"token {TEXT.index(chr(10)) + 2}: ")
    colours = page.locator(".painted b").evaluate_all("all => all.map(each => getComputedStyle(each).backgroundColor)")
    away = values - 0.1
    assert colours[int(np.argmax(away))] != colours[int(np.argmin(away))]


def test_the_heat_maps_read_out_python_s_numbers(open_page, path, gates):
    page = open_page(path)
    figure = page.locator(".heat-map", has_text="f (gate")
    figure.locator(".cells").press("PageUp")
    figure.locator(".cells").press("Home")
    assert figure.locator(".readout b").text_content() == f"{gates['f'][0, 0]:.3f}"
    slope = page.locator(".heat-map", has_text="gradient of the loss for h")
    slope.locator(".cells").press("PageUp")
    slope.locator(".cells").press("End")
    assert slope.locator(".readout b").text_content() == f"{gates.gradients['h'][len(TEXT) - 1, 0]:.1e}"
