"""Trained models without torch: numpy and the native module alone."""

from recurra.errors import FileFormatError
from recurra.runtime.convert import convert
from recurra.runtime.model import Model, load
from recurra.runtime.scoring import Score, score
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams
from recurra.runtime.writing import Continuation, sample

__all__ = [
    "Continuation",
    "FileFormatError",
    "Model",
    "Score",
    "Stream",
    "Streams",
    "convert",
    "load",
    "sample",
    "score",
]
