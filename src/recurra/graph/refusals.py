"""All that keeps a graph from being built, as one line: operators with their counts, then other facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from recurra.graph.graph import GraphNode
from recurra.graph.table import STANDARD, opsets

_SHOWN = 20  # facts in one message


class GraphRefusals:
    """Collects what is not supported.

    Args:
        facts: what is known already.
    """

    def __init__(self, facts: Iterable[str]) -> None:
        self._facts = list(facts)
        self._operators: Counter[str] = Counter()
        self._nodes: dict[tuple[str, str], list[str]] = {}  # labels of nodes, by operator and problem

    def __len__(self) -> int:
        return len(self._facts) + self._operators.total() + sum(map(len, self._nodes.values()))

    def add_operator(self, node: GraphNode, opset: int) -> None:
        """Add a node whose operator is not in the table."""
        ranges = " and ".join(f"{since} to {until}" for since, until in opsets(node.operator, node.domain))
        self._operators[f"{_named(node)} (opset {opset}, not {ranges})" if ranges else _named(node)] += 1

    def add(self, node: GraphNode, number: int, problem: str) -> None:
        """Add a problem of a node, by its number among its graph's nodes."""
        self._nodes.setdefault((_named(node), problem), []).append(node.label(number))

    def text(self) -> str:
        """All as one line; nodes of one operator with one problem are counted."""
        facts = list(self._facts)
        if self._operators:
            counted = ", ".join(f"{name} ×{count}" for name, count in self._operators.most_common())
            facts.insert(0, f"operators that are not supported: {counted}")
        for (operator, problem), labels in self._nodes.items():
            facts.append(f"{labels[0] if len(labels) == 1 else f'{operator} ×{len(labels)}'}: {problem}")
        more = f"; and {len(facts) - _SHOWN} more" if len(facts) > _SHOWN else ""
        return "; ".join(facts[:_SHOWN]) + more


def _named(node: GraphNode) -> str:
    """The operator's name, with a domain that the standard does not have."""
    return node.operator if node.domain in STANDARD else f"{node.domain}.{node.operator}"
