"""The gates of an example are those that a language model and a forecaster compute."""

import sys

import numpy as np
import pytest
import torch

from recurra.nn.parts import build
from recurra.runtime import sample
from recurra.tasks.looking.series import gates_at_end
from recurra.tasks.looking.text import gates_on_text
from recurra.tasks.report import gates as module
from recurra.tasks.report.gates import series_gates, text_gates
from recurra.tasks.series.loading import load_forecast_model
from recurra.tasks.series.opening import open_table, table_from
from recurra.tasks.series.table_settings import TableSettings
from recurra.tasks.text.loading import load_model


@pytest.fixture(scope="module")
def opened(made):
    return open_table(table_from(made / "sales.csv"), TableSettings(), lambda _: None)


def test_a_language_model(made):
    model = load_model(made / "lstm")
    text = "".join(sample(model, length=30, temperature=0.8, seed=4))
    gates = gates_on_text(model, text, "")
    assert "".join(gates.labels) == text
    net = build(model.description)
    with torch.no_grad():
        ids = torch.tensor([model.vocabulary.start, *model.vocabulary.encode(text).tolist()])
        output = net[0](ids[:, None])
        output = next(part for part in net if hasattr(part, "cell"))(output)[0]
    np.testing.assert_allclose(gates["h"], output[1:, 0].numpy(), atol=1e-6)
    html = text_gates(model, 4, 30).html()
    assert "gate, 0 closed to 1 open" in html
    assert "temperature 0.8" in html


@pytest.mark.parametrize("name", ["direct", "paths"])
def test_a_forecaster(made, opened, name):
    model = load_forecast_model(made / name)
    gates = gates_at_end(model, opened.panel, opened.form, "")
    assert gates.labels[-1] == "2020-12"
    assert gates.steps == model.recipe.context
    assert f"the last {model.recipe.context} steps" in series_gates(model, opened).html()


def test_without_torch(made, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert "They need torch" in text_gates(load_model(made / "lstm"), 0, 30).html()


def test_what_cannot_be_shown_is_said(made, monkeypatch):
    monkeypatch.setattr(module, "sample", lambda *_, **__: "☃")
    assert "They cannot be shown: the text has characters" in text_gates(load_model(made / "lstm"), 0, 30).html()
    assert "torch" in sys.modules
