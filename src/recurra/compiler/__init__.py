"""Cell → Program → Plan: pure functions on programs, no arrays; a program's derivative is ``differentiate.py``'s."""

from recurra.compiler.bias import biases, drop_biases
from recurra.compiler.hoist import hoist
from recurra.compiler.merge import merge
from recurra.compiler.plan import Plan, plan
from recurra.compiler.schedule import Schedule
from recurra.compiler.simplify import simplify
from recurra.compiler.storage import parts_stored, products_stored
from recurra.compiler.trace import TracedCell, trace

__all__ = [
    "Plan",
    "Schedule",
    "TracedCell",
    "biases",
    "drop_biases",
    "hoist",
    "merge",
    "parts_stored",
    "plan",
    "products_stored",
    "simplify",
    "trace",
]
