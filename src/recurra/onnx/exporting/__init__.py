"""``export``: models as ONNX graphs."""

from recurra.onnx.exporting.export import export

__all__ = ["export"]
