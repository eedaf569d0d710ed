"""ONNX: ``load`` runs a file's model on recurra's engine, ``export`` writes a layer or model to a file."""

from recurra.errors import OnnxError
from recurra.graph.declaration import Declaration
from recurra.graph.model import GraphModel
from recurra.onnx.exporting import export
from recurra.onnx.loading.load import load

__all__ = ["Declaration", "GraphModel", "OnnxError", "export", "load"]
