"""ONNX: ``load`` runs a file's model on recurra's engine, ``export`` writes a layer or model to a file."""

import importlib

from recurra.errors import OnnxError
from recurra.onnx.declaration import Declaration
from recurra.onnx.load import load
from recurra.onnx.model import GraphModel

__all__ = ["Declaration", "GraphModel", "OnnxError", "export", "load"]


def __getattr__(name: str) -> object:
    """``export`` on first use, as it imports torch."""
    if name == "export":
        return importlib.import_module("recurra.onnx.export").export
    raise AttributeError(f"module 'recurra.onnx' has no attribute {name!r}")
