"""``explain``: the meaning and the shape of every variable of a cell."""

from recurra.look.explain import Explanation, explain

__all__ = ["Explanation", "explain"]
