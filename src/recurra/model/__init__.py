"""Models as plain data, without torch: trees of known parts, their weights, annotations, and the files for these."""

from recurra.model.description import Description, Weight
from recurra.model.file import read, write
from recurra.model.interface import Interface
from recurra.model.kinds import KINDS, weights_of
from recurra.model.part import Part
from recurra.model.recurrent_parts import recurrent_weights

__all__ = [
    "KINDS",
    "Description",
    "Interface",
    "Part",
    "Weight",
    "read",
    "recurrent_weights",
    "weights_of",
    "write",
]
