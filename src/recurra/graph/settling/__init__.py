"""Settled calls: a graph laid out for one set of input shapes, so that a call does nothing but compute."""

from recurra.graph.settling import elementwise, integers, products, quanta, recurrent, reducing, shaping, windows
from recurra.graph.settling.calls import SettledCalls

__all__ = [
    "SettledCalls",
    "elementwise",
    "integers",
    "products",
    "quanta",
    "recurrent",
    "reducing",
    "shaping",
    "windows",
]
