"""``Residual``: parts one after the other, and the sum of what went in and what came out."""

from __future__ import annotations

from typing import Any

from torch.nn.utils.rnn import PackedSequence

from recurra.nn.stack import Stack


class Residual(Stack):
    """A sum around parts: ``output, state = residual(x, state)``, where output is x plus what the parts give for x.

    It is a ``Stack`` in all else, alone or as a part of one: it takes and returns the states of its recurrent parts,
    and is saved, streamed and written to ONNX graphs with them. Its last part must give as many features as its first
    one takes, and no part may drop steps. Layers have the same sum around each of them by ``residual=True``.

    Args:
        *parts: modules, or one dictionary of modules by name, as torch.nn.Sequential takes them.
        compute: see ``Stack``. Default None.

    Raises:
        ValueError: ``compute`` is no precision.
    """

    def forward(self, input: Any, state: Any = None, **inputs: Any) -> tuple[Any, Any]:
        """Run all parts, and add the input.

        Args:
            input: (…, features), or a packed sequence.
            state: the state of the recurrent parts, as ``Stack`` takes it. Default zeros.
            **inputs: inputs of cells beside the first one, as ``Stack`` takes them.

        Returns:
            the sum, of the input's shape, and the new state.

        Raises:
            ValueError: there are no parts, they give another shape than they take, or the number of states is wrong.
            TypeError: no recurrent part has an input of one of the names.
        """
        if not len(self):
            raise ValueError("Residual has no parts whose output could be added to the input")
        output, after = super().forward(input, state, **inputs)
        is_packed = isinstance(input, PackedSequence)
        before, behind = (each.data if isinstance(each, PackedSequence) else each for each in (input, output))
        if before.shape != behind.shape:
            raise ValueError(
                f"Residual adds what goes in and what comes out, which must have one shape: in {tuple(before.shape)}, "
                f"out {tuple(behind.shape)}; the last dimension is features"
            )
        return output._replace(data=before + behind) if is_packed else before + behind, after
