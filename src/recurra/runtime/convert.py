"""``convert``: weights that other libraries trained, as a model of recurra's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from recurra.equations import Cell
from recurra.runtime.model import Model


def convert(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    cell: str | Cell | None = None,
    order: str | None = None,
    names: str | Mapping[str, str] | Sequence[str | Mapping[str, str]] | None = None,
    embedding: str | None = None,
    output: str | Mapping[str, str] | None = None,
    batch_first: bool = False,
    **options: Any,
) -> Model:
    """A model with the weights of another library: recurrent layers, a table of tokens before, a linear map behind.

    The result has torch's layout whatever it came from: ``model.save(path)`` writes a file that ``recurra.load`` gives
    back as a layer to train on. The logger ``recurra`` gets a line with what was taken for what, and what was left: a
    warning where something was left and ``names`` did not say which arrays to take. Nothing is unpickled.

    Args:
        source: a .npz or .safetensors file, or arrays by name, such as a state_dict.
        cell: of the layer: a name of the zoo (``recurra.cells.all()``), or any cell. Default: RNN, GRU or LSTM by the
            number of gates; a GRU of ONNX, or of Keras without bias, must be named.
        order: ``"torch"``: (gates, features), LSTM i f g o, GRU r z n, and of any other cell its own parameters;
            ``"keras"``: (features, gates), LSTM i f c o, GRU z r h; ``"onnx"``: (directions, gates, features), LSTM
            i o f c, GRU z r h. Default: what the names say.
        names: which arrays are the layer's. A text: what their names begin with, or a whole segment of them, as in
            ``"encoder"``. A mapping: for each role the name of the array; roles are ``weight_ih_l0`` and so on (or the
            cell's own), ``kernel``, ``recurrent_kernel`` and ``bias`` (behind ``forward_`` and ``backward_`` in two
            directions), or ``W``, ``R`` and ``B``. A list of these: several layers, one on top of the other. Default:
            the only layer there is.
        embedding: the array (tokens, features) that the model's input is looked up in, by its name, or a segment of
            it. Default None: input is features.
        output: a linear map behind the layers: what the names of its arrays begin with, or a segment of them, or a
            mapping with ``weight`` (out, in) or ``kernel`` (in, out), and ``bias``. Default None.
        batch_first: input and output are (batch, seq_len, features), as Keras has them. Default False.
        **options: values for the cell's options, such as ``nonlinearity="relu"`` of an RNN.

    Raises:
        FileFormatError: the file cannot be read, is damaged, or of another format.
        RecurraError: arrays are missing, or of a shape that is not the layer's; names them.
        TypeError: an option that the cell does not have.
    """
    from recurra.conversion.build import converted  # with zipfile, it takes longer to import than all else

    return Model(converted(source, cell, order, names, embedding, output, batch_first, options))
