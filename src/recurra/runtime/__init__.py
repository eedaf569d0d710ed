"""Trained models without torch: numpy and the native module alone."""

from recurra.errors import FileFormatError
from recurra.runtime.convert import convert
from recurra.runtime.model import Model, load
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams

__all__ = ["FileFormatError", "Model", "Stream", "Streams", "convert", "load"]
