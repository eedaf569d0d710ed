"""Whether the parts of a model fit behind one another."""

from __future__ import annotations

from collections.abc import Iterator

from recurra.errors import FileFormatError
from recurra.model.kinds import CONTAINERS, directions, layer_sizes
from recurra.model.part import Part

NOTHING = ("Dropout", "Identity")  # what changes nothing when a model is used


def leaves(root: Part) -> Iterator[tuple[str, Part]]:
    """The parts that compute something when a model is used, with their names, in order."""
    for name, part in root.walk():
        if part.kind not in CONTAINERS and part.kind not in NOTHING:
            yield name, part


def features(part: Part) -> tuple[int | None, int | None]:
    """How many features a part takes and gives; None where it takes what arrives, gives as many, or takes tokens."""
    if "program" in part.settings:
        last = part.program.output.shape[0].value(layer_sizes(part)[-1])
        return part.size("input_size"), directions(part) * last
    if part.kind == "Embedding":
        return None, part.size("embedding_dim")
    if part.kind == "Linear":
        return part.size("in_features"), part.size("out_features")
    own = part.size("features") if "features" in part.settings else None
    return own, own


def check_chain(root: Part, tokens: int | None) -> None:
    """Refuse parts that do not fit behind one another.

    Args:
        root: the tree of parts.
        tokens: how many a vocabulary has that goes with the model; None without one.

    Raises:
        FileFormatError: names the parts.
    """
    width, before = None, ""
    layouts: dict[object, str] = {}
    for number, (name, part) in enumerate(leaves(root)):
        taken, given = features(part)
        own = f"{name} ({part.kind})"
        if part.kind == "Embedding" and number > 0:
            raise FileFormatError(f"{own} must be the first part, as it takes numbers of tokens")
        if width is not None and taken not in (width, None):
            raise FileFormatError(f"{own} takes {taken} features, and {before}, the part before it, gives {width}")
        width, before = width if given is None else given, own
        if "program" in part.settings:
            layouts.setdefault(part.settings.get("batch_first"), own)
    if len(layouts) > 1:
        one, other, *_ = layouts.values()
        raise FileFormatError(f"{one} and {other} must agree in batch_first, and be layers or cells both")
    first = next((part for _, part in leaves(root)), None)
    if tokens is not None and (first is None or first.kind != "Embedding" or first.size("num_embeddings") != tokens):
        raise FileFormatError(f"a vocabulary of {tokens} tokens needs an Embedding of as many as its first part")
