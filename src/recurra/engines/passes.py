"""Both passes of a scan for a node of autograd, by any kernel's ``forward`` and ``backward``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recurra.engines.protocol import Array, Call, Kernel, Result, Wishes
from recurra.engines.reference.equations import library_of
from recurra.program import Sizes


class CallPasses:
    """The passes of any kernel: implements ``protocol.Passes``.

    Args:
        kernel: the kernel that runs.
        sizes: the values of the program's symbols.
        reverse: whether the run goes from the last step to the first.
        wishes: demands of the backward pass; None for a forward pass alone.
        layer_states: whether states are (1, batch, size) instead of (batch, size).
    """

    def __init__(self, kernel: Kernel, sizes: Sizes, reverse: bool, wishes: Wishes | None, layer_states: bool) -> None:
        self._kernel, self._sizes, self._reverse, self._wishes = kernel, sizes, reverse, wishes
        self._layer_states = layer_states
        program = kernel.plan.program
        self._state_sizes = [state.width(sizes) for state in program.states]

    def forward(
        self,
        x: Array,
        others: Sequence[Array | None],
        masks: Sequence[Array],
        batch_sizes: Array | None,
        reset: Array | None,
        threads: int,
    ) -> tuple[Any, ...]:
        """Return what is kept, the output, the last states, the traced variables."""
        is_cell = batch_sizes is None and x.ndim == 2
        result = self._kernel.forward(self._call(x, others, masks, batch_sizes, reset), self._wishes)
        output = result.output[0] if is_cell else result.output
        states = [state[None] if self._is_layer(is_cell) else state for state in result.states]
        return (result.kept, output, *states, *result.traced.values())

    def backward(
        self,
        needed: Sequence[bool],
        saved: Sequence[Any],
        gradients: Sequence[Array | None],
        batch_sizes: Array | None,
        reset: Array | None,
        threads: int,
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter."""
        count = len(self._state_sizes)
        x, *others = saved[: len(needed)]
        output, kept, *masks = saved[len(needed) :]
        is_cell = batch_sizes is None and x.ndim == 2
        assert self._wishes is not None
        rows, last = [gradients[0], *gradients[1 + count :]], gradients[1 : 1 + count]
        arriving = [g for g, may_arrive in zip(rows, self._wishes.given, strict=True) if may_arrive]
        if is_cell:
            output, arriving = output[None], [None if g is None else g[None] for g in arriving]
        is_layer = self._is_layer(is_cell)
        last = [g[0] if is_layer and g is not None else g for g in last]
        call = self._call(x, others, masks, batch_sizes, reset)
        dx, *rest = self._kernel.backward(call, Result(output, (), {}, kept), self._wishes, arriving, last)
        states = [g[None] if is_layer and g is not None else g for g in rest[:count]]
        return [dx[0] if is_cell and dx is not None else dx, *states, *rest[count:]]

    def _is_layer(self, is_cell: bool) -> bool:
        return self._layer_states and not is_cell

    def _call(
        self,
        x: Array,
        others: Sequence[Array | None],
        masks: Sequence[Array],
        batch_sizes: Array | None,
        reset: Array | None,
    ) -> Call:
        count = len(self._state_sizes)
        is_cell = batch_sizes is None and x.ndim == 2
        sequence = x[None] if is_cell else x
        batch = self._batch(sequence, others[:count], batch_sizes)
        states = []
        for state, size in zip(others[:count], self._state_sizes, strict=True):
            if state is None:
                states.append(library_of(x).zeros((batch, size), x))
            else:
                states.append(state[0] if self._is_layer(is_cell) else state)
        return Call(
            x=sequence,
            batch_sizes=batch_sizes,
            states=states,
            parameters=others[count:],
            sizes=self._sizes,
            masks=masks,
            reset=reset,
            reverse=self._reverse,
        )

    def _batch(self, sequence: Array, firsts: Sequence[Array | None], batch_sizes: Array | None) -> int:
        """The number of sequences; some of a packed batch may have no steps."""
        if batch_sizes is None:
            return int(sequence.shape[1])
        given = [int(state.shape[-2]) for state in firsts if state is not None]
        return given[0] if given else int(batch_sizes[0]) if len(batch_sizes) else 0
