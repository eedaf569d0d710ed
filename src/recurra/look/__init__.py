"""Seeing inside: what every variable of a cell is, and how large."""

from recurra.look.explain import Explanation, explain

__all__ = ["Explanation", "explain"]
