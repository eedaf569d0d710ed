"""Helpers: accelerated modules beside equal ones that stay torch's."""

import pytest
import torch
from torch import nn

import recurra
from recurra.nn import acceleration
from recurra.nn.acceleration.classes import Accelerated
from tests.nn.support import CELLS, LAYERS, assert_same, gradients

F, H, T, B = 5, 4, 6, 3


class Mine(nn.LSTM):
    """A user's subclass."""


over_all = pytest.mark.parametrize("name", LAYERS + CELLS)
over_layers = pytest.mark.parametrize("name", LAYERS)


def make(name, seed=0, **kwargs):
    torch.manual_seed(seed)
    options = {"dtype": torch.float64, **({"num_layers": 2, "bidirectional": True} if name in LAYERS else {})}
    return getattr(nn, name)(F, H, **{**options, **kwargs})


def input_of(name, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(*((T, B) if name in LAYERS else (B,)), F, generator=generator, dtype=dtype)


def weight_of(name):
    return "weight_hh_l0" if name in LAYERS else "weight_hh"


def twins(name, **kwargs):
    """Two equal modules, one of which is accelerated."""
    return recurra.accelerate(make(name, **kwargs)), make(name, **kwargs)


def assert_agree(module, reference, name):
    x = input_of(name, next(reference.parameters()).dtype)
    actual, expected = module(x), reference(x)
    assert_same(actual, expected)
    mine, other = dict(module.named_parameters()), dict(reference.named_parameters())
    assert list(mine) == list(other)
    found, wanted = gradients(actual, list(mine.values())), gradients(expected, list(other.values()))
    for key, gradient, wanted_gradient in zip(other, found, wanted, strict=True):
        assert_same(gradient, wanted_gradient, key)


def assert_replaced(module, *names):
    report = acceleration(module)
    assert [part.name for part in report.replaced] == list(names)
    assert not report.left


def reason_of(module):
    (part,) = acceleration(recurra.accelerate(module)).left
    assert not isinstance(part.module, Accelerated)
    return part.reason
