"""The layers for torch: drop-ins for torch.nn's recurrent classes, and ``Recurrent`` for any cell."""

try:
    import torch  # first, so that the message can say what to install
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError('recurra.nn needs torch; run: pip install "recurra[torch]"', name="torch") from None

from recurra.engines import ENGINES
from recurra.engines.precision import follow
from recurra.engines.torch_internals import float32_matmul_precision
from recurra.nn.acceleration.accelerate import Acceleration, accelerate, acceleration, restore
from recurra.nn.adaptive_softmax import AdaptiveSoftmax
from recurra.nn.dropins import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from recurra.nn.encoder_decoder import EncoderDecoder
from recurra.nn.ensemble import Ensemble
from recurra.nn.frozen import frozen
from recurra.nn.last_step import LastStep
from recurra.nn.over_time import Conv1d, RunningMax, RunningMean
from recurra.nn.packing import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)
from recurra.nn.quantized import QuantizedLinear, quantize
from recurra.nn.recurrent import Recurrent
from recurra.nn.recurrent_cell import RecurrentCell
from recurra.nn.regularisers import EmbeddingDropout, VariationalDropout
from recurra.nn.residual import Residual
from recurra.nn.running.operator import scan_operator  # noqa: F401  (registers the operator that saved torch.export programs call)
from recurra.nn.saving import load, save
from recurra.nn.stack import Stack
from recurra.nn.trace import Trace
from recurra.nn.weight_drop import WeightDrop

for _engine in ENGINES.values():
    _engine.join(torch)
follow(float32_matmul_precision)

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Acceleration",
    "AdaptiveSoftmax",
    "Conv1d",
    "EmbeddingDropout",
    "EncoderDecoder",
    "Ensemble",
    "GRUCell",
    "LSTMCell",
    "LastStep",
    "PackedSequence",
    "QuantizedLinear",
    "RNNCell",
    "Recurrent",
    "RecurrentCell",
    "Residual",
    "RunningMax",
    "RunningMean",
    "Stack",
    "Trace",
    "VariationalDropout",
    "WeightDrop",
    "accelerate",
    "acceleration",
    "frozen",
    "invert_permutation",
    "load",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "quantize",
    "restore",
    "save",
    "unpack_sequence",
    "unpad_sequence",
]
