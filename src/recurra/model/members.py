"""Models inside of a model: the members of an ensemble, an encoder and its decoder; and the check that they fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.interface import Interface, check_chain, interface_of
from recurra.model.kinds import role
from recurra.model.part import Part
from recurra.model.sums import check_sums

_PAIR = ("encoder", "decoder")
_ANY_DTYPE = np.dtype(np.float32)  # of interfaces of which the sizes alone are asked


def chains(root: Part, name: str = "") -> Iterator[tuple[str, Part]]:
    """The models that run by themselves, with their full names, in order; a model without others inside is one."""
    if role(root) != "models":
        yield name, root
        return
    for child, part in root.children:
        yield from chains(part, f"{name}.{child}" if name else child)


def sizes_of(part: Part) -> Interface:
    """The interface of a model that runs by itself, of which the dtype means nothing."""
    return interface_of(part, _ANY_DTYPE)


def check_members(root: Part) -> None:
    """Refuse models that do not fit: in an ensemble, an encoder and its decoder, the parts of each.

    Raises:
        FileFormatError: parts do not fit behind one another, or a model is where it cannot be; the message names them.
    """
    for name, part in root.walk():
        inner = [(child, own.kind) for child, own in part.children if role(own) == "models"]
        wrong = [(child, kind) for child, kind in inner if (part.kind, kind) != ("Ensemble", "EncoderDecoder")]
        if wrong:
            child, kind = wrong[0]
            full = f"{name}.{child}" if name else child
            raise FileFormatError(f"{full} ({kind}) cannot be a part of {name or 'the model'} ({part.kind})")
    for name, part in chains(root):
        check_chain(part, name)
        check_sums(part, name)
    for name, part in root.walk():
        problem = {"Ensemble": _ensemble_problem, "EncoderDecoder": _pair_problem}.get(part.kind, _no_problem)(part)
        if problem is not None:
            raise FileFormatError(f"{name or 'the model'} ({part.kind}): {problem}")


def _no_problem(part: Part) -> str | None:
    return None


def _ensemble_problem(part: Part) -> str | None:
    names = [child for child, _ in part.children]
    if names != [str(number) for number in range(len(names))] or not names:
        return "its parts must be its members 0, 1, …"
    return None


def _pair_problem(part: Part) -> str | None:
    if tuple(child for child, _ in part.children) != _PAIR:
        return f"its parts must be {' and '.join(_PAIR)}"
    encoder, decoder = (sizes_of(child) for _, child in part.children)
    given, taken = ([(state.name, state.count, state.size) for state in one.flat_states] for one in (encoder, decoder))
    if not given or given != taken:
        return "its decoder must be recurrent, and have the states of its encoder"
    if encoder.is_cell:
        return "its encoder must be a layer or layers, not a cell"
    if encoder.batch_first != decoder.batch_first:
        return "its encoder and its decoder must agree in batch_first"
    return None
