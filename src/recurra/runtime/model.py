"""``Model``: a model of a file, run on arrays of numpy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.model import Description, write
from recurra.model.file import GRAPH_KEY
from recurra.model.file_errors import refusing
from recurra.model.interface import sums_of
from recurra.model.safetensors import metadata_of
from recurra.packed.packed_program import Array
from recurra.packed.packing import Packing
from recurra.runtime.inputs import array_of
from recurra.runtime.layout import Layout
from recurra.runtime.running import run_stages, with_sums
from recurra.runtime.stages import RecurrentStage, stages
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def load(path: str | os.PathLike[str]) -> Any:
    """Load the model of a file that ``recurra.save`` or ``recurra export`` wrote. Nothing in the file is executed.

    A plain safetensors file with torch's state_dict of one RNN (tanh), LSTM or GRU is a model too.

    Args:
        path: the file's path.

    Returns:
        A ``Model``; a ``GraphModel`` where the file holds a graph, as ``recurra.save(…, example=…)`` writes it.

    Raises:
        FileFormatError: the file cannot be read, is damaged, or exceeds a cap.
    """
    from recurra.conversion.reading import read  # a process that builds models from parts does not need it

    with refusing(path):
        is_graph = GRAPH_KEY in metadata_of(path)
    if is_graph:
        from recurra.graph.load import load_graph

        return load_graph(path)
    description = read(path)
    with refusing(path):
        return Model(description)


class Model:
    """A trained model, without torch: ``output, state = model(x, state)``.

    It computes what the module computed in evaluation mode, to the bit if both run on the same engine and instruction
    set. It holds no state, and several threads may use it at the same time.

    Args:
        description: the model's parts and weights.

    Attributes:
        description: the model's parts and weights.
        annotations: further facts that its file holds, by name: the ``"vocabulary"`` of a language model.
        vocabulary: the tokens of a language model; None for other models.
        layout: the layout of input, output and states.
        dtype: the dtype of input and output: float32, or float64 where the weights are float64.
        stages: the stages that the model runs, in order.
        recurrent: the stages that have states.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.annotations: Mapping[str, object] = description.annotations
        self.vocabulary: Vocabulary | None = description.vocabulary
        self.layout = Layout(description)
        self.dtype = description.dtype
        self.stages = with_sums(stages(description), sums_of(description.root))
        self.recurrent = [stage for stage in self.stages if isinstance(stage, RecurrentStage)]

    @property
    def takes_tokens(self) -> bool:
        """Whether the input is token numbers."""
        return self.layout.interface.takes_tokens

    @property
    def input_size(self) -> int | None:
        """The number of input features; None where the model takes tokens, or any number of features."""
        return self.layout.interface.input_size

    @property
    def is_cell(self) -> bool:
        """Whether a call is one step, without a dimension of time."""
        return self.layout.interface.is_cell

    @property
    def batch_first(self) -> bool:
        """Whether the batch comes before time."""
        return self.layout.interface.batch_first

    def __call__(
        self, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None, **inputs: ArrayLike
    ) -> tuple[Array, Any]:
        """Run the model over sequences.

        Args:
            x: (seq_len, batch, input_size), or (batch, seq_len, input_size) where the layers are batch_first, or
                unbatched (seq_len, input_size); for a cell (batch, input_size) or (input_size,). Where the model takes
                tokens, x is whole numbers without the last dimension.
            state: the first states, each (num_layers * directions, batch, size), unbatched without the batch; for a
                cell (batch, size). A single state is one array, several are a tuple, and several recurrent parts take a
                tuple with one of these for each. Default zeros.
            lengths: (batch,) the length of each sequence, 0 to seq_len; the output after its end is zero. Default: all
                steps.
            **inputs: the inputs beside the first one by name, ``model(x, dt=dt)``: laid out as x, each with its own
                features, or without a dimension for them where it is one number.

        Returns:
            The output, laid out as x (without time behind a ``LastStep``), and the last states, shaped as ``state``; an
            empty tuple without recurrent parts.

        Raises:
            RecurraError: a shape does not fit; the message names the dimensions.
            TypeError: x is not numbers, or tokens are not whole numbers; an input is missing or not known.
            IndexError: a token is not in the vocabulary.
        """
        rows, is_batched = self.layout.rows(x)
        batch = rows.shape[1]
        states = self.layout.states(state, batch, is_batched)
        further = self.layout.further(inputs, rows.shape[0], batch if is_batched else None)
        packing = None
        if lengths is not None:
            lengths = array_of("lengths", lengths)
            if self.is_cell or not is_batched:
                what = "a model of a cell" if self.is_cell else "an input without batch"
                raise RecurraError(f"{what} takes no lengths")
            if lengths.shape != (batch,):
                raise RecurraError(f"lengths must be (batch={batch},); got {lengths.shape}")
            packing = Packing(lengths, rows.shape[0])
            if self.takes_tokens:  # padding need not be a token
                rows = np.where(np.arange(len(rows))[:, None] < lengths, rows, 0)
        output, last = run_stages(self.stages, rows, states, packing, further)
        if packing is not None and not self.layout.interface.gives_last_step:
            packing.clear(output)
        return self.layout.output(output, is_batched), self.layout.states_out(last, is_batched)

    def stream(self, batch: int = 1) -> Stream:
        """A new stream, which runs one step at a time and holds the state.

        Args:
            batch: the number of sequences that are stepped together. Default 1.

        Raises:
            RecurraError: a layer is bidirectional, and would need future steps; or batch is no positive whole number.
        """
        return Stream(self, batch)

    def streams(self) -> Streams:
        """A new set of streams: many sequences that are stepped together, and join and leave at any time.

        Raises:
            RecurraError: a layer is bidirectional, and would need future steps.
        """
        return Streams(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, in one step; see ``recurra.save``.

        Raises:
            FileFormatError: the file cannot be written.
        """
        write(self.description, path)

    def __repr__(self) -> str:
        kinds = [part.kind for _, part in self.description.root.walk() if not part.children]
        weights = sum(weight.data.size for weight in {id(w): w for w in self.description.weights.values()}.values())
        return f"<Model {' → '.join(kinds)}; {weights:,} weights, {self.dtype}>"
