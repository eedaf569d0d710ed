"""Graphs of operators as data and as models: no protobuf and no torch; the operators are those of ONNX."""
