"""``read``: the model of a file, which may be a plain state_dict of torch's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from recurra import model
from recurra.model import Description, Weight


def read(path: str | os.PathLike[str]) -> Description:
    """The model of a file. A safetensors file with torch's names of one RNN, LSTM or GRU is such a model too.

    Raises:
        FileFormatError: it cannot be read, is damaged, goes beyond a cap, or holds something else; nothing was run.
    """
    return model.read(path, of_state_dict)


def of_state_dict(weights: Mapping[str, Weight]) -> Description:
    """The model of a plain state_dict of torch's; see ``recurra.model.read``."""
    from recurra.conversion.state_dict import described  # most files need nothing of what it imports

    return described(weights)
