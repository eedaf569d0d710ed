"""Cell → Program → Plan: pure functions on programs, no arrays."""

from recurra.compiler.bias import biases, drop_biases
from recurra.compiler.hoist import hoist
from recurra.compiler.merge import merge
from recurra.compiler.plan import Plan, plan
from recurra.compiler.simplify import simplify
from recurra.compiler.trace import trace

__all__ = ["Plan", "biases", "drop_biases", "hoist", "merge", "plan", "simplify", "trace"]
