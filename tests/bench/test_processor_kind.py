"""Kinds of processors, from what Linux says of them."""

import pytest

from recurra.bench.processor_kind import processor_kind


@pytest.mark.parametrize(
    ("vendor", "family", "model", "kind"),
    [
        ("AuthenticAMD", "25", "1", "AMD Zen 3"),
        ("AuthenticAMD", "25", "17", "AMD Zen 4"),
        ("AuthenticAMD", "26", "2", "AMD Zen 5"),
        ("GenuineIntel", "6", "143", "Intel Sapphire Rapids"),
        ("GenuineIntel", "6", "9999", "Intel, family 6, model 9999"),
        ("AuthenticAMD", "99", "1", "AMD, family 99, model 1"),
        ("SomebodyElse", "1", "2", "SomebodyElse, family 1, model 2"),
    ],
)
def test_family_and_model(vendor, family, model, kind):
    assert processor_kind({"vendor_id": vendor, "cpu family": family, "model": model}) == kind


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ({}, "processor of an unknown kind"),
        ({"model name": "Neoverse-N1"}, "Neoverse-N1"),
        ({"cpu family": "x"}, "processor of an unknown kind"),
    ],
)
def test_without_them(info, kind):
    assert processor_kind(info) == kind
