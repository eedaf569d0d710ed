"""``Model``: a model of a file, run over arrays of numpy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.model import Description, read, write
from recurra.model.file_errors import refusing
from recurra.runtime.inputs import array_of, numbers, tokens
from recurra.runtime.packing import Packing
from recurra.runtime.run import Array
from recurra.runtime.stages import Lookup, Recurrent, stages
from recurra.runtime.states import Nest, checked
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from recurra.runtime.stream import Stream
    from recurra.runtime.streams import Streams


def load(path: str | os.PathLike[str]) -> Model:
    """The model of a file that ``recurra.save`` or ``recurra export`` wrote. Nothing in the file is executed.

    A plain safetensors file with torch's state_dict of one RNN (tanh), LSTM or GRU is such a model too.

    Args:
        path: of the file.

    Raises:
        FileFormatError: it cannot be read, is damaged, or goes beyond a cap.
    """
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
        dtype: of its input and output: float32, or float64 where its weights are.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.annotations: Mapping[str, object] = description.annotations
        self.vocabulary: Vocabulary | None = description.vocabulary
        self.dtype = description.dtype
        self.stages = stages(description)
        self.nest = Nest.of(description.root)
        self.recurrent = [stage for stage in self.stages if isinstance(stage, Recurrent)]
        self.is_cell = any(stage.is_cell for stage in self.recurrent)
        self.batch_first = any(stage.batch_first for stage in self.recurrent)

    @property
    def takes_tokens(self) -> bool:
        """Whether its input is numbers of tokens."""
        return bool(self.stages) and isinstance(self.stages[0], Lookup)

    @property
    def input_size(self) -> int | None:
        """Features of its input; None where it takes tokens, or whatever arrives."""
        sizes = (stage.input_size for stage in self.stages if stage.input_size is not None)
        return None if self.takes_tokens else next(sizes, None)

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
        rows, is_batched = self._rows(x)
        batch = rows.shape[1]
        states = self._states(state, batch, is_batched)
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
        output, last = self.run(rows, states, packing)
        if packing is not None:
            packing.clear(output)
        return self._out(output, is_batched), self._states_out(last, is_batched)

    def run(
        self, rows: Array, states: Sequence[Sequence[Array]], packing: Packing | None
    ) -> tuple[Array, list[list[Array]]]:
        """All stages: (T, batch, features), or tokens (T, batch), and each recurrent part's states."""
        last: list[list[Array]] = []
        value = rows
        for stage in self.stages:
            if isinstance(stage, Recurrent):
                value, ends = stage(value, states[len(last)], packing)
                last.append(ends)
            else:
                value = stage(value)
        return (np.array(rows) if value is rows else value), last

    def stream(self, batch: int = 1) -> Stream:
        """A run of its own, one step at a time, with the state inside.

        Args:
            batch: sequences that are stepped together. Default 1.

        Raises:
            RecurraError: a layer is bidirectional, and would need the steps to come; or batch is below 1.
        """
        from recurra.runtime.stream import Stream

        return Stream(self, batch)

    def streams(self) -> Streams:
        """Many sequences that are stepped together, and that come and go at any time.

        Raises:
            RecurraError: a layer is bidirectional, and would need the steps to come.
        """
        from recurra.runtime.streams import Streams

        return Streams(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Put the model in a file, in one step; see ``recurra.save``.

        Raises:
            FileFormatError: it cannot be written.
        """
        write(self.description, path)

    # ---- what comes in and goes out ----

    def _rows(self, x: ArrayLike) -> tuple[Array, bool]:
        """The input as (T, batch, …), checked, and whether it was a batch."""
        array: Array = tokens(x) if self.takes_tokens else numbers(x, self.dtype)
        features = () if self.takes_tokens else ("input_size",)
        names = (
            ("batch",) if self.is_cell else ("batch", "seq_len") if self.batch_first else ("seq_len", "batch")
        ) + features
        wanted = "(" + ", ".join(f"{n}={self.input_size}" if n == "input_size" else n for n in names) + ")"
        if array.ndim not in (len(names), len(names) - 1):
            raise RecurraError(f"the model's input must be {wanted}, or without batch; got {array.shape}")
        if not self.takes_tokens and self.input_size not in (None, array.shape[-1]):
            raise RecurraError(
                f"the model's input must be {wanted}; got {array.shape}: the last dimension is {array.shape[-1]}"
            )
        if not self.takes_tokens and self.input_size is None and array.shape[-1] == 0:
            raise RecurraError(f"the model's input must have features in its last dimension; got {array.shape}")
        is_batched = array.ndim == len(names)
        if self.is_cell:
            return array[None] if is_batched else array[None, None], is_batched
        if not is_batched:
            return array[:, None], False
        return (array.swapaxes(0, 1) if self.batch_first else array), True

    def _states(self, given: Any, batch: int, is_batched: bool) -> list[list[Array]]:
        flat = iter(list(self.nest.flatten(given)))
        found = []
        for stage in self.recurrent:
            states = []
            for name, size in zip(stage.names, stage.state_sizes, strict=True):
                shape = [("num_layers * directions", stage.count)] * (not stage.is_cell)
                shape += [("batch", batch)] * is_batched + [(f"{name} features", size)]
                states.append(checked(name, next(flat), shape, self.dtype).reshape(stage.count, batch, size))
            found.append(states)
        return found

    def _states_out(self, last: Sequence[Sequence[Array]], is_batched: bool) -> Any:
        arrays = []
        for stage, states in zip(self.recurrent, last, strict=True):
            for state in states:
                array = state[0] if stage.is_cell else state
                arrays.append(array if is_batched else array.squeeze(0 if stage.is_cell else 1))
        return self.nest.nest(iter(arrays))

    def _out(self, output: Array, is_batched: bool) -> Array:
        if self.is_cell:
            output = output.squeeze(0)
            return output if is_batched else output.squeeze(0)
        if not is_batched:
            return output.squeeze(1)
        return output.swapaxes(0, 1) if self.batch_first else output

    def __repr__(self) -> str:
        kinds = [part.kind for _, part in self.description.root.walk() if not part.children]
        weights = sum(weight.data.size for weight in {id(w): w for w in self.description.weights.values()}.values())
        return f"<Model {' → '.join(kinds)}; {weights:,} weights, {self.dtype}>"
