"""``Model``: a model of a file, run over arrays of numpy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.model import Description, write
from recurra.model.file_errors import refusing
from recurra.runtime.inputs import array_of
from recurra.runtime.layout import Layout
from recurra.runtime.packed_program import Array
from recurra.runtime.packing import Packing
from recurra.runtime.stages import RecurrentStage, run_stages, stages
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def load(path: str | os.PathLike[str]) -> Model:
    """The model of a file that ``recurra.save`` or ``recurra export`` wrote. Nothing in the file is executed.

    A plain safetensors file with torch's state_dict of one RNN (tanh), LSTM or GRU is such a model too.

    Args:
        path: of the file.

    Raises:
        FileFormatError: it cannot be read, is damaged, or goes beyond a cap.
    """
    from recurra.conversion.reading import read  # who makes models from parts needs no file

    description = read(path)
    with refusing(path):
        return Model(description)


class Model:
    """A trained model, without torch: ``output, state = model(x, state)``.

    It computes what the module computed in evaluation mode, to the bit where that ran on the same engine and
    instruction set. It holds no state, and may be used by several threads at the same time.

    Args:
        description: its parts and weights.

    Attributes:
        description: the same.
        annotations: what its file says of it besides, by name: the ``"vocabulary"`` of a language model, the
            ``"series"`` of a forecaster.
        vocabulary: the tokens of a language model; None of other models.
        layout: how input, output and states are laid out.
        dtype: of its input and output: float32, or float64 where its weights are.
        stages: what it computes, in order.
        recurrent: those of its stages that have states.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.annotations: Mapping[str, object] = description.annotations
        self.vocabulary: Vocabulary | None = description.vocabulary
        self.layout = Layout(description)
        self.dtype = description.dtype
        self.stages = stages(description)
        self.recurrent = [stage for stage in self.stages if isinstance(stage, RecurrentStage)]

    @property
    def takes_tokens(self) -> bool:
        """Whether its input is numbers of tokens."""
        return self.layout.interface.takes_tokens

    @property
    def input_size(self) -> int | None:
        """Features of its input; None where it takes tokens, or whatever arrives."""
        return self.layout.interface.input_size

    @property
    def is_cell(self) -> bool:
        """Whether a call is one step, without a dimension of time."""
        return self.layout.interface.is_cell

    @property
    def batch_first(self) -> bool:
        """Whether the batch stands before time."""
        return self.layout.interface.batch_first

    def __call__(self, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None) -> tuple[Array, Any]:
        """Run the model over sequences.

        Args:
            x: (seq_len, batch, input_size), or (batch, seq_len, input_size) where the layers are batch_first, or
                unbatched (seq_len, input_size); of a cell (batch, input_size) or (input_size,). Where the model takes
                tokens, whole numbers without the last dimension.
            state: the first states, each (num_layers * directions, batch, size), unbatched without the batch; of a cell
                (batch, size). One array for one state, a tuple for several, and for several recurrent parts a tuple
                with one for each. Default zeros.
            lengths: (batch,) the length of each sequence, 0 to seq_len; the output behind its end is zero. Default: all
                steps.

        Returns:
            output, laid out as x is, and the last states, shaped as ``state``; an empty tuple without recurrent parts.

        Raises:
            RecurraError: a shape that does not fit; the message names the dimensions.
            TypeError, IndexError: what should be tokens are no whole numbers, or not in the vocabulary.
        """
        rows, is_batched = self.layout.rows(x)
        batch = rows.shape[1]
        states = self.layout.states(state, batch, is_batched)
        packing = None
        if lengths is not None:
            lengths = array_of("lengths", lengths)
            if self.is_cell or not is_batched:
                what = "a model of a cell" if self.is_cell else "an input without batch"
                raise RecurraError(f"{what} takes no lengths")
            if lengths.shape != (batch,):
                raise RecurraError(f"lengths must be (batch={batch},); got {lengths.shape}")
            packing = Packing(lengths, rows.shape[0])
            if self.takes_tokens:  # what stands behind an end is no token, whatever it is
                rows = np.where(np.arange(len(rows))[:, None] < lengths, rows, 0)
        output, last = run_stages(self.stages, rows, states, packing)
        if packing is not None:
            packing.clear(output)
        return self.layout.output(output, is_batched), self.layout.states_out(last, is_batched)

    def stream(self, batch: int = 1) -> Stream:
        """A run of its own, one step at a time, with the state inside.

        Args:
            batch: sequences that are stepped together. Default 1.

        Raises:
            RecurraError: a layer is bidirectional, and would need the steps to come; or batch is below 1.
        """
        return Stream(self, batch)

    def streams(self) -> Streams:
        """Many sequences that are stepped together, and that come and go at any time.

        Raises:
            RecurraError: a layer is bidirectional, and would need the steps to come.
        """
        return Streams(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Put the model in a file, in one step; see ``recurra.save``.

        Raises:
            FileFormatError: it cannot be written.
        """
        write(self.description, path)

    def __repr__(self) -> str:
        kinds = [part.kind for _, part in self.description.root.walk() if not part.children]
        weights = sum(weight.data.size for weight in {id(w): w for w in self.description.weights.values()}.values())
        return f"<Model {' → '.join(kinds)}; {weights:,} weights, {self.dtype}>"
