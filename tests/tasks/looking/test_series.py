"""A forecaster seen while it reads a series: the numbers of its encoder, window by window."""

import numpy as np
import pytest
import torch

from recurra import Forecaster, look
from recurra.errors import RunError
from recurra.nn.parts import build
from recurra.series.frames import table_of
from recurra.series.windows import SeriesReader
from recurra.tasks.looking.page import ViewChoice, lines_of, page_of
from recurra.tasks.looking.series import look_at_series
from tests.tasks.series.tables import one_series, two_shops


def trained(folder, columns, **options):
    model = Forecaster(6, hidden=8, minutes=0.002, **options).fit(columns)
    model.save(folder / "model.safetensors")
    return model


def unnoted(message):
    raise AssertionError(message)


def test_the_encoder_s_numbers(tmp_path):
    table = one_series()
    model = trained(tmp_path, table, members=2)
    seen = look_at_series(tmp_path / "model.safetensors", table_of(table), unnoted)
    recipe = model.runtime.recipe
    context, length = recipe.context, len(table["sales"])
    assert seen.gates.labels == tuple(table["month"][-context:])
    assert seen.whole.steps == length // context * context
    np.testing.assert_array_equal(seen.values, np.array(table["sales"])[-seen.whole.steps :])
    encoder = build(model.runtime.description)[0].encoder
    reader = SeriesReader(model._opened.panel, recipe)
    for window in range(length // context):
        end = length - window * context
        past = reader.encode(reader.windows(np.array([0]), np.array([end]))).past
        expected = look.gates(encoder, torch.from_numpy(past))
        rows = slice(seen.whole.steps - (window + 1) * context, seen.whole.steps - window * context)
        np.testing.assert_allclose(seen.whole["h"][rows], expected["h"], atol=1e-5)
    assert set(seen.ranked) | set(seen.ranked.left_out) >= {"season 12", "month", "value", "level", "trend"}
    assert "weekday" not in seen.ranked
    assert np.abs(seen.gates.gradients["h"]).max() > 0
    assert "of the first of 2 networks" in seen.notes[1]
    assert lines_of(seen)[0].endswith(f"up to {table['month'][-1]}")
    with pytest.raises(RunError, match="--id: the table has one series, which has no name"):
        look_at_series(tmp_path / "model.safetensors", table_of(table), unnoted, "west")


def test_the_gradient_is_that_of_the_median_forecast(tmp_path):
    table = one_series()
    model = trained(tmp_path, table, members=1)
    seen = look_at_series(tmp_path / "model.safetensors", table_of(table), unnoted)
    pair = build(model.runtime.description)[0].double()
    reader = SeriesReader(model._opened.panel, model.runtime.recipe)
    encoded = reader.encode(reader.ends())
    future, last = torch.from_numpy(encoded.future).double(), len(seen.gates["h"]) - 1
    nudge = 1e-5
    found = []
    for sign in (1, -1):
        state = torch.tensor(seen.gates["h"][last], dtype=torch.float64)[None, None].clone()
        state[0, 0, 2] += sign * nudge
        found.append(pair.decoder(future, state)[0][:, 0, model.runtime.recipe.median].sum().item())
    assert seen.gates.gradients["h"][last, 2] == pytest.approx((found[0] - found[1]) / (2 * nudge), rel=1e-3, abs=1e-6)


def test_a_series_of_several_and_its_autoregressive_model(tmp_path):
    table = two_shops(ahead=6)
    trained(tmp_path, table, model="autoregressive", known="promo")
    path = tmp_path / "model.safetensors"
    seen = look_at_series(path, table_of(table), lambda _: None, "south")
    assert "on south, " in seen.title
    assert seen.values[-1] == table["sales"][-7] or float(table["sales"][-7]) == pytest.approx(seen.values[-1])
    assert np.isfinite(seen.gates["c" if "c" in seen.gates.states else "h", 0]).all()
    page_of(seen, ViewChoice(unit=1)).html()
    with pytest.raises(RunError, match="--id west: there is no such series; there are north"):
        look_at_series(path, table_of(table), lambda _: None, "west")


def test_a_series_that_is_shorter_than_the_context(tmp_path):
    trained(tmp_path, one_series(), members=1)
    short = {name: column[:9] for name, column in one_series().items()}
    seen = look_at_series(tmp_path / "model.safetensors", table_of(short), unnoted)
    assert seen.whole.labels == tuple(short["month"])
    assert seen.ranked is None
