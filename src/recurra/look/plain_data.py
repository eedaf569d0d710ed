"""An explanation as plain data, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from recurra.look.explained import ExplainedLayer, ExplainedParameter, ExplainedStack, ExplainedVariable

if TYPE_CHECKING:
    from recurra.look.explanation import Explanation


def plain(explanation: Explanation) -> dict[str, Any]:
    """All facts of an explanation, as dicts, lists, texts and numbers."""
    parts = [
        {"name": part.name, "in": part.arrives, "out": part.leaves, **_stack(part.stack)} for part in explanation.parts
    ]
    return {"title": explanation.title, "parameters": explanation.parameter_count, "parts": parts}


def _stack(stack: ExplainedStack) -> dict[str, Any]:
    relations = None
    if stack.relations is not None:
        relations = {
            "rows": [{**asdict(row), "equality": row.equality and str(row.equality)} for row in stack.relations.rows],
            "statements": [
                {"text": each.text, "equalities": [str(equality) for equality in each.equalities]}
                for each in stack.relations.statements
            ],
        }
    return {
        "layer": stack.title,
        "cell": stack.program.name,
        "notes": list(stack.notes),
        "sequences": [_variable(row) for row in stack.sequences],
        "layers": [_layer(layer) for layer in stack.layers],
        "states_and_output": relations,
        "equations": [{"equation": text, "runs": when} for text, when in stack.equations],
        "loop": stack.loop._asdict(),
        "parameters": stack.parameter_count,
        "multiply_adds_per_step": stack.multiplications,
        "multiply_adds_per_call": stack.call_multiplications,
        "bytes_kept_in_training": stack.kept,
    }


def _layer(layer: ExplainedLayer) -> dict[str, Any]:
    return {
        "title": layer.title,
        "variables": [_variable(row) for row in layer.variables],
        "parameters": [_variable(row) for row in layer.parameters],
        "parameter_count": layer.parameter_count,
        "multiply_adds_per_step": layer.multiplications,
        "bytes_kept_in_training": layer.kept,
    }


def _variable(row: ExplainedVariable) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": row.name,
        "meaning": row.meaning,
        "symbols": [dimension.symbol for dimension in row.dimensions],
        "shape": [dimension.number for dimension in row.dimensions],
        "from": list(row.origins),
    }
    if isinstance(row, ExplainedParameter):
        del found["from"]
        found["count"] = row.count
        found["pieces"] = dict(row.pieces)
    return found
