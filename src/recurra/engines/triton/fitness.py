"""Plans whose loop no kernel computes, and why."""

from __future__ import annotations

from recurra.compiler import Plan

_MOST_HEADS = 16  # each of them is a product of its own in a kernel


def unfit(plan: Plan) -> str | None:
    """The reason why no kernel computes a plan's loop."""
    for equation in plan.schedule.step:
        if equation.operation in ("split", "partition", "concat"):
            if any(len(variable.shape) > 1 for variable in (*equation.variables, *equation.results)):
                return f"its loop has no {equation.operation} of values that have heads"
        elif equation.operation == "product" and len(equation.variables[1].shape) == 3:
            heads = equation.variables[0].shape[0].factor("")
            if heads > _MOST_HEADS:
                return f"its loop has products of at most {_MOST_HEADS} heads, not of {int(heads)}"
    return None
