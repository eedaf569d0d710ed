"""The floor, compared with one computed by hand."""

import pytest

from recurra.bench.cases import Case, CaseShape
from recurra.bench.floor import Level, Roof, floor
from recurra.bench.machine import Cache
from recurra.bench.roof import bandwidth, levels, peak

ROOF = Roof(
    threads=1,
    peak=1e9,
    levels=(Level("L1", 1000, False, 4e9), Level("L2", 100_000, False, 2e9), Level("memory", 0, True, 1e9)),
)


def test_large_batches_are_bound_by_their_products():
    case = Case("layer", "lstm", CaseShape(10, 100, 6, 8), False)
    t_x = 2 * 10 * 100 * 4 * 6 * 8 / 1e9
    t_r = 10 * 2 * 100 * 4 * 8 * 8 / 1e9
    assert floor(case, ROOF) == pytest.approx(t_x + t_r)


def test_single_sequences_are_bound_by_reading():
    roof = Roof(1, 1e15, ROOF.levels)
    case = Case("layer", "rnn", CaseShape(10, 1, 6, 8), False)
    assert floor(case, roof) == pytest.approx(6 * 8 * 4 / 4e9 + 10 * 8 * 8 * 4 / 4e9)
    case = Case("layer", "gru", CaseShape(10, 1, 6, 8), False)
    assert floor(case, roof) == pytest.approx(3 * 6 * 8 * 4 / 4e9 + 10 * 3 * 8 * 8 * 4 / 4e9)
    case = Case("layer", "rnn", CaseShape(10, 1, 6, 80), False)
    assert floor(case, roof) == pytest.approx(6 * 80 * 4 / 2e9 + 10 * 80 * 80 * 4 / 2e9)
    case = Case("layer", "lstm", CaseShape(10, 1, 6, 800), False)
    assert floor(case, roof) == pytest.approx(4 * 6 * 800 * 4 / 2e9 + 10 * 4 * 800 * 800 * 4 / 1e9)


def test_training_of_one_layer():
    shape = CaseShape(10, 100, 6, 8)
    t_x, t_r = 2 * 10 * 100 * 4 * 6 * 8 / 1e9, 10 * 2 * 100 * 4 * 8 * 8 / 1e9
    assert floor(Case("layer", "lstm", shape, True), ROOF) == pytest.approx(2 * t_x + 3 * t_r)


def test_layers_and_directions():
    one, two = CaseShape(10, 100, 8, 8), CaseShape(10, 100, 8, 8, 2)
    assert floor(Case("layer", "gru", two, False), ROOF) == pytest.approx(
        2 * floor(Case("layer", "gru", one, False), ROOF)
    )
    both = CaseShape(10, 100, 8, 8, 1, 2)
    assert floor(Case("layer", "gru", both, True), ROOF) == pytest.approx(
        2 * floor(Case("layer", "gru", one, True), ROOF)
    )
    product = 2 * 10 * 100 * 3 * 8 * 8 / 1e9
    assert floor(Case("layer", "gru", two, True), ROOF) == pytest.approx((5 + 6) * product)


def test_threads_divide_the_weights_among_their_caches():
    assert ROOF.level(870).name == "L1"
    assert ROOF.level(880).name == "L2"
    assert Roof(2, 1e9, ROOF.levels).level(1700).name == "L1"
    shared = (Level("L1", 1000, True, 1.0), ROOF.levels[-1])
    assert Roof(2, 1e9, shared).level(1700).name == "memory"


@pytest.mark.slow
def test_measured_limits_are_limits():
    found = levels((Cache("L1", 32 << 10, False),), 0.01)
    assert [(level.name, level.capacity, level.shared) for level in found] == [
        ("L1", 32 << 10, False),
        ("memory", 0, True),
    ]
    assert all(1e8 < level.bandwidth < 1e13 for level in found)
    assert 1e8 < bandwidth(1 << 16, 0.01) < 1e13
    assert 1e8 < peak(0.05) < 1e15
