"""``read``: the model of a file, which may be a plain state_dict of torch."""

from __future__ import annotations

import os
from collections.abc import Mapping

from recurra import model
from recurra.model import Description, Weight


def read(path: str | os.PathLike[str]) -> Description:
    """Read the model of a file. A safetensors file with torch's names for one RNN, LSTM or GRU is a model too.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or holds something else; nothing was run.
    """
    return model.read(path, of_state_dict)


def of_state_dict(weights: Mapping[str, Weight]) -> Description:
    """The model of a plain state_dict of torch; see ``recurra.model.read``."""
    from recurra.conversion.state_dict import described  # most files do not need its imports

    return described(weights)
