"""Draws of tokens: each filter beside a plain implementation, frequencies beside probabilities, seeds."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.runtime.sampling import REPETITION_WINDOW, Sampler, SamplingSettings

PLAIN = SamplingSettings(temperature=1.0, seed=5)
NEAR = 1e-9  # sums in another order may decide otherwise so near to a limit


def plain_probabilities(logits, settings, recent=(), never=(0,)):
    """The probability of each token, by the definitions of the papers; None where rounding might decide."""
    scores = [-math.inf if token in never else float(score) for token, score in enumerate(logits)]
    for token in set(recent) - set(never):
        factor = settings.repetition_penalty
        scores[token] = scores[token] / factor if scores[token] > 0 else scores[token] * factor
    if settings.top_k:
        least = sorted(scores)[-min(settings.top_k, len(scores))]
        scores = [score if score >= least else -math.inf for score in scores]
    likeliest = max(scores)
    chances = [math.exp((score - likeliest) / settings.temperature) for score in scores]
    total = math.fsum(chances)
    chances = [chance / total for chance in chances]
    before, cut, counts = 0.0, 1.0, Counter(chances)
    for chance in sorted(counts, reverse=True):  # equal ones stay or go together
        if abs(before - settings.top_p) < NEAR and settings.top_p < 1:
            return None
        if before < settings.top_p:
            cut = chance
        before += chance * counts[chance]
    least = settings.min_p * max(chances)
    if settings.min_p and any(abs(chance - least) < NEAR * max(chances) for chance in chances if chance < max(chances)):
        return None
    chances = [chance if chance >= max(cut, least) else 0.0 for chance in chances]
    total = math.fsum(chances)
    return [chance / total for chance in chances]


class Chosen:
    """Bits that stand for the numbers of a list, from 0 to below 1."""

    def __init__(self, numbers):
        self.numbers = list(numbers)

    def random_raw(self):
        return int(self.numbers.pop(0) * 2.0**53) << 11


LOGITS = st.lists(st.one_of(st.integers(-4, 4).map(float), st.floats(-15, 15, width=32)), min_size=3, max_size=40).map(
    lambda values: np.array(values, np.float32)
)


@given(
    LOGITS,
    st.sampled_from([0.3, 0.8, 1.0, 2.5]),
    st.sampled_from([0, 1, 2, 5, 100]),
    st.sampled_from([1.0, 0.95, 0.6, 0.1]),
    st.sampled_from([0.0, 0.05, 0.4, 1.0]),
    st.sampled_from([1.0, 1.3, 0.7]),
    st.lists(st.integers(1, 2), max_size=5),
)
def test_filters_are_those_of_the_definitions(logits, temperature, top_k, top_p, min_p, penalty, recent):
    settings = SamplingSettings(1, temperature, top_k, top_p, min_p, penalty, seed=1)
    expected = plain_probabilities(logits, settings, recent)
    assume(expected is not None)
    cumulative = np.cumsum(expected)
    numbers = [number for number in np.linspace(0, 1, 23)[:-1] if np.abs(cumulative - number).min() > NEAR]
    sampler = Sampler(settings, [0])
    drawn = []
    for number in numbers:
        sampler._bits, sampler._count = Chosen([number]), 0
        for token in recent:
            sampler.read(token)
        drawn.append(sampler.draw(logits))
    assert drawn == [int(np.searchsorted(cumulative, number, side="right")) for number in numbers]


def possible(chances, **settings):
    """The tokens that are drawn under settings, from the probabilities of all tokens but ``<unk>``."""
    sampler = Sampler(replace(PLAIN, **settings), [0])
    logits = np.log(np.array([1e-30, *chances]))
    drawn = set()
    for number in np.linspace(0, 1, 401)[:-1]:
        sampler._bits = Chosen([number])
        drawn.add(sampler.draw(logits))
    return drawn


def test_the_order_of_the_filters():
    chances = [0.4, 0.3, 0.2, 0.1]
    assert possible(chances, top_p=0.5) == {1, 2}
    assert possible(chances, top_k=2, top_p=0.5) == {1}  # 0.4 of 0.7
    assert possible(chances, min_p=0.6) == {1, 2}
    assert possible(chances, top_p=0.55, min_p=0.6) == {1, 2}  # min-p first would leave 0.4 of 0.7
    assert possible(chances, temperature=0.2, top_p=0.55) == {1}


@pytest.mark.parametrize("tail", [0.005, 0.02])
def test_large_vocabularies(tail):
    logits = np.log(np.array([1, 1, *[tail] * 1500, *[tail / 2] * 1500], np.float64)).astype(np.float32)
    logits[2:] += np.random.default_rng(0).normal(0, 0.01, 3000).astype(np.float32)
    numbers = np.linspace(0.001, 0.999, 60)
    for change in [{"top_k": k} for k in (1, 2, 40, 46, 47, 2999)] + [{"top_p": p} for p in (0.05, 0.5, 0.9, 0.99)]:
        expected = plain_probabilities(logits, replace(PLAIN, **change))
        assert expected is not None
        sampler, cumulative = Sampler(replace(PLAIN, **change), [0]), np.cumsum(expected)
        sampler._bits = Chosen(numbers)
        wanted = [int(np.searchsorted(cumulative, number, side="right")) for number in numbers]
        assert [sampler.draw(logits) for _ in numbers] == wanted


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 7},
        {"top_p": 0.8},
        {"min_p": 0.1},
        {"top_k": 12, "top_p": 0.9, "min_p": 0.02, "temperature": 1.5},
    ],
)
def test_frequencies_are_the_probabilities(change):
    """Pearson's chi-squared test of 20,000 draws: the statistic has the mean ``free`` and the variance 2 ``free``."""
    settings, draws = replace(PLAIN, **change), 20_000
    logits = (np.random.default_rng(3).standard_normal(30)).astype(np.float32)
    expected = np.array(plain_probabilities(logits, settings)) * draws
    sampler = Sampler(settings, [0])
    counts = np.bincount([sampler.draw(logits) for _ in range(draws)], minlength=30)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    free = int(possible.sum()) - 1
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert free - 4 * math.sqrt(2 * free) < statistic < free + 4 * math.sqrt(2 * free)


def test_the_penalty_sees_a_window_of_tokens():
    logits = np.array([0.0, 2.0, -1.0, 1.5], np.float32)
    sampler = Sampler(replace(PLAIN, temperature=0, repetition_penalty=2.0), [0])
    assert [sampler.draw(logits) for _ in range(3)] == [1, 3, 1]  # 2, then 1 and 1.5, then 1 and 0.75
    for _ in range(REPETITION_WINDOW):
        sampler.read(2)
    assert sampler.draw(logits) == 1  # forgotten: 2 again
    negative = Sampler(replace(PLAIN, temperature=0, repetition_penalty=4.0), [0])
    assert [negative.draw(np.array([0, -1, -2, -9], np.float32)) for _ in range(3)] == [1, 2, 1]  # -1, -2 and -4, -8


def test_a_token_that_is_never_drawn():
    logits = np.array([90.0, 1.0, 2.0, 3.0], np.float32)
    for temperature in (0.0, 1.0, 1e9, 1e308):
        sampler = Sampler(replace(PLAIN, temperature=temperature), [0])
        assert 0 not in [sampler.draw(logits) for _ in range(50)]
    sampler = Sampler(PLAIN, [])
    assert {sampler.draw(logits) for _ in range(50)} == {0}


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-9])
def test_low_temperatures_take_the_likeliest(temperature):
    logits = np.array([0.0, -3e38, 1.0, 3.0e38, 2.0], np.float32)
    assert Sampler(replace(PLAIN, temperature=temperature), [0]).draw(logits) == 3


def test_seeds():
    logits = np.zeros(1000, np.float32)

    def drawn(seed):
        sampler = Sampler(replace(PLAIN, seed=seed), [0])
        return [sampler.draw(logits) for _ in range(20)]

    assert drawn(5) == drawn(5) != drawn(6)
    assert drawn(None) != drawn(None)
    assert drawn(5)[:6] == [805, 808, 515, 286, 54, 383]  # with any version of numpy


def test_logits_that_are_no_numbers():
    for value in (np.nan, np.inf):
        for temperature in (0.0, 1.0):
            with pytest.raises(RecurraError, match="not finite"):
                Sampler(replace(PLAIN, temperature=temperature), [0]).draw(np.array([0, 1, value], np.float32))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("length", [0, -5, 1.5, True, "x", 2**63]),
        ("temperature", [-0.1, math.nan, math.inf, "x", 10**400]),
        ("top_k", [-1, 1.5, 2**63]),
        ("top_p", [0, -0.5, 1.01, math.nan]),
        ("min_p", [-0.1, 1.5, math.nan]),
        ("repetition_penalty", [0, -1, math.nan, math.inf, 1e3]),
        ("stop", [("",), "text", (1,)]),
        ("seed", [-1, 2**64, 1.5]),
    ],
)
def test_settings_out_of_range(name, values):
    for value in values:
        with pytest.raises(RecurraError, match=f"^{name} must be"):
            replace(PLAIN, **{name: value}).check()
