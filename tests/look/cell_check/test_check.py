"""``recurra.check(cell)``: sound cells pass, each fault is found and named, and the facts are those of the plan."""

import json

import pytest
import torch

import recurra
from recurra import cells
from recurra.compiler import derivatives
from recurra.look import CellCheck, Inspection
from recurra.look.cell_check import soundness
from tests.look.cell_check.own_cells import (
    contradictory,
    coupled,
    exploding,
    narrow,
    noisy,
    reader,
    thirds,
    timed,
    unbounded,
)


def quick(cell, **settings):
    return recurra.check(cell, seconds=0, **settings)


@pytest.mark.parametrize(
    "cell",
    [coupled, reader, thirds, noisy, timed, narrow, cells.clockwork_rnn, cells.echo_state, cells.skip_gru, cells.lstm],
    ids=lambda c: c.name,
)
def test_sound_cells(cell):
    found = quick(cell)
    assert isinstance(found, CellCheck)
    assert [each.name for each in found.properties] == ["traces", "finite", "engines", "gradients", "packed", "streams"]
    assert found.is_sound, str(found)
    assert found.verdict.startswith(f"{cell.name} is sound")
    assert found.speed is None


def wrong(found):
    return [each.name for each in found.properties if not each.holds]


def test_equations_that_contradict_themselves():
    found = quick(contradictory)
    assert wrong(found) == ["traces"]
    assert "`W`" in found.properties[0].text
    assert found.verdict == "contradictory is not sound: its equations cannot be traced."
    assert found.facts is None
    assert "`W`" in str(found)


@pytest.mark.parametrize(
    ("cell", "text"), [(unbounded, "after one step; look at a division and a root"), (exploding, "after 1,000 steps")]
)
def test_numbers_that_are_not_finite(cell, text):
    found = quick(cell)
    assert wrong(found) == ["finite"]
    assert found.verdict.endswith(f"{text}.")


def test_a_wrong_derivative_is_found(monkeypatch):
    @recurra.cell
    def fresh(x, h, *, W, U):
        return recurra.cos(x @ W + 1.25 * (h @ U))

    rule = derivatives.RULES["cos"]
    monkeypatch.setitem(derivatives.RULES, "cos", derivatives.RULES["sin"])
    assert rule is not derivatives.RULES["cos"]
    assert wrong(quick(fresh)) == ["gradients"]


@pytest.mark.parametrize(
    ("number", "name", "text"), [(0, "engines", "output on native"), (1, "gradients", "that of x on native")]
)
def test_an_engine_that_differs_is_found(monkeypatch, number, name, text):
    results = soundness._results

    def off(trial, which, weights):
        found = results(trial, which, weights)
        if which == "native":
            key = next(iter(found[number]))
            found[number][key] = found[number][key] + 1e-6
        return found

    monkeypatch.setattr(soundness, "_results", off)
    found = quick(coupled)
    assert wrong(found) == [name]
    assert text in found.verdict


def test_the_loop_and_what_leaves_it():
    found = quick(reader)
    loop = found.loop
    assert (loop.written, len(loop.products), loop.in_a_row) == (6, 2, 2)
    assert {(each.text, each.when) for each in loop.hoisted} == {
        ("x @ W", "before the loop"),
        ("h' @ V", "after the loop"),
        ("tanh(h' @ V) @ C", "after the loop"),
    }
    text = str(found)
    assert "2 products, one after the other; the equations have 6" in text
    assert "x @ W: needs no state" in text
    assert quick(coupled).loop.products == ("h @ [U_f, U_g, U_o]",)


def test_what_is_kept_and_estimated():
    found = quick(cells.lstm, input_size=8, hidden_size=16)
    assert found.kept == found.lstm_kept == 4 * 16 * 6  # the output, the cell state, and four sums of gates
    assert found.estimated == 1
    assert quick(cells.min_gru).estimated < 0.3


def test_speed_is_measured_beside_an_lstm():
    found = recurra.check(coupled, input_size=3, hidden_size=4, batch=2, seq_len=5, seconds=0.01)
    speed = found.speed
    assert (speed.seq_len, speed.batch, speed.input_size, speed.hidden_size) == (5, 2, 3, 4)
    assert min(speed.inference, speed.training, speed.lstm_inference, speed.lstm_training) > 0
    assert 0 <= speed.in_loop <= 1
    assert f"{speed.inference_ratio:.2f} × the time of an LSTM in inference" in found.verdict
    assert "recurra.nn.LSTM" in str(found)


@pytest.mark.parametrize("cell", [reader, noisy, timed, cells.min_gru], ids=lambda cell: cell.name)
def test_the_share_of_the_loop(cell):
    found = recurra.check(cell, input_size=3, hidden_size=4, batch=2, seq_len=5, seconds=0.01)
    assert 0 <= found.speed.in_loop <= 1


def test_sizes_that_do_not_fit_are_replaced_by_the_nearest():
    assert recurra.check(thirds, input_size=3, hidden_size=4, batch=1, seq_len=2, seconds=0.01).speed.hidden_size == 6


def test_free_sizes_reach_the_cell():
    widths = [quick(narrow, sizes=sizes, hidden_size=8, input_size=8).estimated for sizes in (None, {"d": 64})]
    assert widths[0] < widths[1]


def test_options_reach_the_cell():
    assert quick(cells.rnn, nonlinearity="relu").is_sound
    with pytest.raises(TypeError, match="has no option slope"):
        quick(cells.rnn, slope=1)


def test_plain_data_and_notebooks():
    found = recurra.check("mgu", seconds=0)
    facts = json.loads(json.dumps(found.to_dict()))
    assert (facts["name"], facts["is_sound"], facts["loop"]["in_a_row"]) == ("mgu", True, 2)
    assert "mgu is sound" in found._repr_html_()


def test_the_same_seed_gives_the_same_findings():
    torch.manual_seed(5)
    first = quick(coupled, seed=3)
    state = torch.random.get_rng_state()
    assert quick(coupled, seed=3) == first
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's numbers are left alone


def test_a_module_is_checked_with_its_input():
    assert isinstance(recurra.check(recurra.nn.GRU(3, 4), torch.randn(5, 2, 3)), Inspection)
    assert recurra.check is recurra.look.check


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "text"),
    [
        ((cells.lstm, torch.zeros(1)), {}, ValueError, "takes no input"),
        (("lstn",), {}, ValueError, "has no cell 'lstn'"),
        ((cells.lstm,), {"hidden_size": 0}, ValueError, "hidden_size must be a whole number of at least 1"),
        ((cells.lstm,), {"seconds": -1}, ValueError, "seconds must be at least 0"),
        ((3,), {}, TypeError, "not a int"),
        ((torch.nn.GRU(1, 1),), {}, TypeError, "needs the module's input"),
    ],
)
def test_wrong_arguments(arguments, settings, error, text):
    with pytest.raises(error, match=text):
        recurra.check(*arguments, **settings)
