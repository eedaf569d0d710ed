"""ONNX models, run on arrays of numpy."""
