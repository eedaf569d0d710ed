"""``units``: the unit that follows a property comes first, and chance is not taken for a finding."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra import look
from recurra.look.seeing.text_properties import TEXT_PROPERTIES

TEXT = 'He said "no" (twice) and left.\n    x = 1  # set it\nThen: "yes, I\'m in" 5 times.\n\n' * 5


def by_name(properties):
    return {each.name: each for each in properties}


def wandering(steps, units, seed=0):
    """Units that follow nothing, and drift slowly."""
    generator = np.random.default_rng(seed)
    return np.tanh(0.1 * np.cumsum(generator.normal(size=(steps, units)), 0))


def test_text_properties_place_by_place():
    text = 'a "B\' c" (d)\n\t7 # e\n'
    found = by_name(look.text_properties(text))
    assert tuple(found) == TEXT_PROPERTIES

    def shown(name):
        return "".join(str(int(value)) for value in found[name].values)

    assert shown("quotes") == "00111110000000000000"[: len(text)]
    assert shown("brackets") == "00000000011000000000"[: len(text)]
    assert shown("comment") == "0000000000000000" + "1110"
    assert found["position"].values.tolist() == [*range(13), *range(7)]
    assert shown("indentation") == "0000000000000" + "1111111"
    assert shown("letter") == "10010010001000000010"[: len(text)]
    assert shown("upper") == "00010000000000000000"
    assert shown("digit") == "00000000000000100000"
    assert shown("word-start") == "10010010001000100010"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("it's 'so' it", "quotes", "000001110000"),
        ("“x” «y»", "quotes", "1100110"),
        ("'a\nb' c", "quotes", "1100000"),
        ('"a\nb" c', "quotes", "1111000"),
        ('"a\n\nb"', "quotes", "111001"[:6]),
        (r'"a\"b" c', "quotes", "11111000"),
        ("http://a b", "comment", "0000000000"),
        ("x // b\nc", "comment", "00011100"[:8]),
        ("a /*b*/c", "comment", "00011100"[:8]),
        ("{[a]b)}c", "brackets", "11111100"),
        ("'#' a", "comment", "00000"),
    ],
)
def test_marks_of_many_kinds(text, name, expected):
    values = by_name(look.text_properties(text))[name].values
    assert "".join(str(int(value)) for value in values) == expected


def test_tokens_have_the_properties_of_their_last_character():
    tokens = ["He", ' "', "no", "", '"', " ("]
    found = by_name(look.text_properties(tokens))
    assert found["quotes"].values.tolist() == [False, True, True, True, False, False]
    assert found["position"].values.tolist() == [1, 3, 5, 5, 6, 8]


def test_a_unit_that_follows_is_found_first():
    properties = look.text_properties(TEXT)
    steps = len(TEXT)
    for name, unit in (("quotes", 7), ("position", 3)):
        values = wandering(steps, 30)
        own = by_name(properties)[name].values.astype(float)
        values[:, unit] = np.tanh(0.5 * (own - own.mean()) / own.std()) + 0.1 * np.random.default_rng(1).normal(
            size=steps
        )
        found = look.units(values, properties)
        assert found[name].best.unit == unit
        assert found[name].best.follows
        assert found[name].best.score > 0.8
        assert "follows" in str(found)


def test_a_layer_whose_unit_is_built_to_follow_quotes():
    torch.manual_seed(0)
    layer = nn.GRU(2, 12)
    with torch.no_grad():  # unit 5 takes the input's first feature over as it is
        layer.weight_ih_l0[12 + 5], layer.weight_hh_l0[12 + 5], layer.bias_ih_l0[12 + 5] = 0.0, 0.0, -9.0
        layer.weight_ih_l0[24 + 5] = torch.tensor([2.0, 0.0])
        layer.weight_hh_l0[24 + 5], layer.bias_ih_l0[24 + 5], layer.bias_hh_l0[24 + 5] = 0.0, 0.0, 0.0
    quotes = torch.from_numpy(by_name(look.text_properties(TEXT))["quotes"].values).float()
    x = torch.stack([quotes, torch.randn(len(TEXT))], 1)
    found = look.units(look.gates(layer, x, labels=TEXT))
    assert found["quotes"].best.unit == 5
    assert found["quotes"].best.auc == pytest.approx(1.0)
    assert found["quotes"].best.follows


def test_the_score_of_yes_no_is_the_area_under_the_curve():
    generator = np.random.default_rng(0)
    values, yes = generator.integers(0, 6, (40, 3)).astype(float), generator.random(40) < 0.4
    ranking = look.units(values, {"yes": yes})["yes"]
    for unit in ranking.units:
        pairs = values[yes][:, None, unit.unit] - values[~yes][None, :, unit.unit]
        assert unit.auc == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_the_other_scores_are_correlations():
    generator = np.random.default_rng(0)
    values, number = generator.normal(size=(60, 3)), generator.normal(size=60)
    place = np.arange(60) % 7
    properties = {
        "number": number,
        "season": look.Property("season", "cycle", place / 7, ""),
        "day": list(map(str, place)),
    }
    found = look.units(values, properties)
    for name, columns in (
        ("number", number[:, None]),
        ("season", np.stack([np.sin(2 * np.pi * place / 7), np.cos(2 * np.pi * place / 7)], 1)),
        ("day", np.eye(7)[place]),
    ):
        design = np.concatenate([np.ones((60, 1)), columns], 1)
        for unit in found[name].units:
            own = values[:, unit.unit]
            fit = design @ np.linalg.lstsq(design, own, rcond=None)[0]
            assert abs(unit.score) == pytest.approx(abs(np.corrcoef(fit, own)[0, 1]))
    assert found["number"].best.score == pytest.approx(np.corrcoef(number, values[:, found["number"].best.unit])[0, 1])


def test_chance_is_not_taken_for_a_finding():
    steps = 240
    observed = 3 * np.sin(2 * np.pi * np.arange(steps) / 12) + 0.1 * np.arange(steps)
    times = np.datetime64("2000-01") + np.arange(steps)
    properties = look.series_properties(observed, times, [12])
    false = sum(len(look.units(wandering(steps, 20, seed), properties, seed=seed).following) for seed in range(12))
    assert false <= 4  # of 48: at most about one in twenty


def test_a_unit_that_follows_the_season():
    steps = 120
    times = np.datetime64("2024-01-01") + np.arange(steps)
    observed = np.random.default_rng(0).normal(size=steps)
    values = wandering(steps, 20)
    values[:, 4] = np.cos(2 * np.pi * np.arange(steps) / 7 + 0.5)
    found = look.units(values, look.series_properties(observed, times, [7]))
    for name in ("season 7", "weekday"):
        assert found[name].best.unit == 4
        assert found[name].best.follows
    assert found["weekday"].what.values[:3].tolist() == [0, 1, 2]  # 2024 began on a Monday


def test_series_properties_by_hand():
    observed = np.array([1.0, 2, 3, 4, np.nan, 6, 7, 8])
    found = by_name(look.series_properties(observed, None, [2], start=1))
    np.testing.assert_array_equal(found["season 2"].values, [0.5, 0] * 4)
    np.testing.assert_array_equal(found["level"].values, [np.nan, 1.5, 2.5, 3.5, 4, 6, 6.5, 7.5])
    np.testing.assert_array_equal(found["trend"].values[2:4], [np.nan, 2])
    assert "weekday" not in found


def test_what_cannot_be_said_is_left_out_with_its_reason():
    found = look.units(wandering(60, 4), look.text_properties("abc def\n" * 7 + "abcd"))
    assert set(found.left_out) >= {"quotes", "digit"}
    assert "holds in 0 of 60 steps" in found.left_out["quotes"]
    with pytest.raises(KeyError, match="holds in 0 of 60"):
        found["quotes"]
    assert np.isnan(look.units(wandering(60, 2), {"late": np.arange(60) >= 54})["late"].best.held_out)


@pytest.mark.parametrize(
    ("values", "properties", "message"),
    [
        (np.zeros((9, 2)), {"a": np.zeros(9)}, "9 steps are too few"),
        (np.zeros((30, 2)), {"a": np.zeros(9)}, "a value for each of 30 steps; got 9"),
        (np.zeros((30, 2)), {}, "no properties"),
        (np.zeros(30), {"a": np.zeros(30)}, r"must be \(steps, units\)"),
        (np.zeros((30, 2)), None, "needs properties"),
    ],
)
def test_what_is_refused(values, properties, message):
    with pytest.raises(ValueError, match=message):
        look.units(values, properties)
