"""Tests of recurra::scan in torch.onnx.export."""
