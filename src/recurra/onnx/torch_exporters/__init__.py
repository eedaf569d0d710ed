"""``recurra::scan`` for both exporters of torch.onnx: LSTM, GRU and RNN nodes where these compute it, else a Scan.

``recurra.nn`` registers both translations; torch loads them when it exports.
"""
