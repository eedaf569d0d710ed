"""Sums around parts: what a ``Residual`` adds to its output, among the parts of a model in order."""

from __future__ import annotations

from recurra.errors import FileFormatError
from recurra.model.interface import leaves, sums_of
from recurra.model.kinds import features, role
from recurra.model.part import Part


def check_sums(root: Part, model: str = "") -> None:
    """Refuse a Residual whose output cannot be added to its input; ``model`` is the root's name in messages.

    Raises:
        FileFormatError: it gives another number of features than it takes, drops steps, or has no part that computes.
    """
    parts = list(leaves(root, model))
    for first, behind in sums_of(root):
        inside = parts[first:behind]
        if not inside:
            raise FileFormatError("a Residual has no part that computes: it would add its input to itself")
        name = f"the Residual around {inside[0][0]}"
        wrong = next((f"{own} ({part.kind})" for own, part in inside if role(part) in ("table", "last")), None)
        if wrong is not None:
            raise FileFormatError(f"{name} holds {wrong}, whose output has not the form of its input")
        sizes = [features(part) for _, part in inside]
        taken = next((size for pair in sizes for size in pair if size is not None), None)
        given = next((size for _, size in reversed(sizes) if size is not None), None)
        if taken is not None and given is not None and taken != given:
            raise FileFormatError(f"{name} takes {taken} features and gives {given}: a sum needs as many of both")
