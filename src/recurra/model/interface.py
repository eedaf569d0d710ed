"""The features that parts take and give, and whether the parts of a model fit behind one another."""

from __future__ import annotations

from collections.abc import Iterator

from recurra.errors import FileFormatError
from recurra.model.kinds import directions, is_recurrent, layer_sizes, role
from recurra.model.part import Part


def leaves(root: Part) -> Iterator[tuple[str, Part]]:
    """The parts that compute something when a model is used, with their names, in order."""
    for name, part in root.walk():
        if role(part) not in ("container", "nothing"):
            yield name, part


def features(part: Part) -> tuple[int | None, int | None]:
    """The number of features that a part takes and gives; None where it takes any, gives as many, or takes tokens."""
    if is_recurrent(part):
        last = part.program.output.shape[0].value(layer_sizes(part)[-1])
        return part.size("input_size"), directions(part) * last
    if role(part) == "table":
        return None, part.size("embedding_dim")
    if part.kind == "Linear":
        return part.size("in_features"), part.size("out_features")
    own = part.size("features") if "features" in part.settings else None
    return own, own


def check_chain(root: Part) -> None:
    """Refuse parts that do not fit behind one another.

    Raises:
        FileFormatError: names the parts.
    """
    width, before = None, ""
    layouts: dict[object, str] = {}
    for number, (name, part) in enumerate(leaves(root)):
        taken, given = features(part)
        own = f"{name} ({part.kind})"
        if role(part) == "table" and number > 0:
            raise FileFormatError(f"{own} must be the first part, as it takes numbers of tokens")
        if width is not None and taken not in (width, None):
            raise FileFormatError(f"{own} takes {taken} features, and {before}, the part before it, gives {width}")
        width, before = width if given is None else given, own
        if is_recurrent(part):
            layouts.setdefault(part.settings.get("batch_first"), own)
    if len(layouts) > 1:
        one, other, *_ = layouts.values()
        raise FileFormatError(f"{one} and {other} must agree in batch_first, and be layers or cells both")
