"""Cell → Program → Plan: pure functions on programs, no arrays."""

from recurra.compiler.bias import biases, drop_biases
from recurra.compiler.differentiate import Gradient, differentiate
from recurra.compiler.hoist import hoist
from recurra.compiler.merge import merge
from recurra.compiler.plan import Plan, plan
from recurra.compiler.schedule import Schedule
from recurra.compiler.simplify import simplify
from recurra.compiler.storage import products_stored, states_alone
from recurra.compiler.trace import TracedCell, trace

__all__ = [
    "Gradient",
    "Plan",
    "Schedule",
    "TracedCell",
    "biases",
    "differentiate",
    "drop_biases",
    "hoist",
    "merge",
    "plan",
    "products_stored",
    "simplify",
    "states_alone",
    "trace",
]
