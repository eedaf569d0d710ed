"""``convert``: weights that other libraries trained, as a model of recurra."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from recurra.equations import Cell
from recurra.model import Description
from recurra.runtime.model import Model


def convert(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    cell: str | Cell | None = None,
    order: str | None = None,
    names: str | Mapping[str, str] | Sequence[str | Mapping[str, str]] | None = None,
    embedding: str | None = None,
    output: str | Mapping[str, str] | None = None,
    batch_first: bool | None = None,
    merge_mode: str | None = None,
    sizes: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Convert weights of another library to a model: recurrent layers, an embedding before, a linear map behind.

    The result has torch's layout, whatever the source has: ``model.save(path)`` writes a file that ``recurra.load``
    returns as a layer to train on. The logger ``recurra`` gets a line that says which arrays were used, as what, and
    which were not. It is a warning where some were not used and ``names`` is None. Files are data: nothing that
    they hold is run.

    A .keras or .h5 file of a whole model of Keras also says which layers it has: without ``names``, ``embedding`` and
    ``output`` all of them are converted, and give Keras' numbers. Layers that form a chain over time are a ``Model``,
    which also streams. Models with branches, several inputs or outputs, shared layers, masks, or layers that a
    ``Stack`` does not have, are a ``GraphModel``: ``model(x)`` gives the outputs alone.

    Args:
        source: a file of numpy (.npz), torch (.pt, .pth, .bin, Lightning's .ckpt), safetensors or Keras (.h5, .keras),
            or arrays by name, such as a state_dict. Of torch's files the tensors are read, and nothing is run.
        cell: the layer's cell: a name of the zoo (``recurra.cells.all()``), or any cell. Default: RNN, GRU or LSTM, by
            the number of gates; a GRU of ONNX, or of Keras without bias, must be named.
        order: ``"torch"``: (gates, features), LSTM i f g o, GRU r z n, and of any other cell its own parameters;
            ``"keras"``: (features, gates), LSTM i f c o, GRU z r h; ``"onnx"``: (directions, gates, features), LSTM
            i o f c, GRU z r h. Default: told by the names.
        names: the names of the layer's arrays. A text: their prefix, or a whole segment of it, as in
            ``"encoder"``. A mapping: the array's name for each role; roles are ``weight_ih_l0`` and so on (or the
            cell's own), ``kernel``, ``recurrent_kernel`` and ``bias`` (behind ``forward_`` and ``backward_`` in two
            directions), or ``W``, ``R`` and ``B``. A list of these: several layers, one on top of the other. Default:
            the only layer there is.
        embedding: the name, or a segment of it, of the array (tokens, features) in which input tokens are looked up.
            Default None: the input is features.
        output: the linear map behind the layers: the prefix of its arrays' names, or a segment of it, or a mapping with
            ``weight`` (out, in) or ``kernel`` (in, out), and ``bias``. Default None.
        batch_first: whether input and output are (batch, seq_len, features), as in Keras. Default: True for a model of
            Keras that is converted as a whole, else False.
        merge_mode: how a layer of two directions makes one output of both: beside each other (``"concat"``), their
            ``"sum"``, their mean (``"ave"``) or their product (``"mul"``). Default: what the file says, else
            ``"concat"``.
        sizes: sizes that the cell's equations leave open, as ``Recurrent`` takes them. Default none.
        **options: values for the cell's options, such as ``nonlinearity="relu"`` of an RNN.

    Returns:
        A ``Model``, or a ``GraphModel`` as said above. Both have ``save``; ``recurra.runtime.load`` reads their files.

    Raises:
        FileFormatError: the file cannot be read, is damaged, or has another format.
        RecurraError: an array is missing, or has a shape that does not fit the layer; the message names it.
        TypeError: the cell does not have one of the options.
    """
    from recurra.conversion.build import converted  # its imports, zipfile among them, take longer than all others

    description = converted(source, cell, order, names, embedding, output, batch_first, merge_mode, sizes, options)
    if isinstance(description, Description):
        return Model(description)
    from pathlib import Path

    from recurra.graph.build import build

    name = Path(source).name if isinstance(source, (str, os.PathLike)) else "the model"
    return build(description, name)
