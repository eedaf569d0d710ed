"""torch.nn's recurrent classes by their own names, with their arguments, shapes, state_dict and numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import gru, lstm, rnn
from recurra.equations import relu, tanh
from recurra.nn.checks import InputCheck, check_states
from recurra.nn.input_form import Input
from recurra.nn.recurrent import Recurrent, State
from recurra.nn.recurrent_cell import RecurrentCell
from recurra.program import Products

_NONLINEARITIES = {"tanh": tanh, "relu": relu}


def _check_nonlinearity(kind: str, nonlinearity: object) -> None:
    if nonlinearity not in _NONLINEARITIES:
        choices = " or ".join(map(repr, _NONLINEARITIES))
        raise ValueError(
            f"{kind}: nonlinearity must be {choices}, not {nonlinearity!r}; for another one, "
            f"recurra.nn.{'RecurrentCell' if kind.endswith('Cell') else 'Recurrent'}(recurra.cells.rnn, …, "
            "nonlinearity=…) takes any function of the cell language"
        )


def _refuse_proj(kind: str, proj_size: object) -> None:
    if proj_size is not None:
        raise ValueError(
            f"{kind} has no proj_size: its update mixes the old hidden state with the new one. LSTM has it, and so has "
            "recurra.nn.Recurrent for every cell whose state is only multiplied by matrices"
        )


def _refuse_sizes(kind: str, hidden_size: object) -> None:
    if isinstance(hidden_size, (list, tuple)):
        raise TypeError(
            f"{kind} has one hidden_size for all layers, an int, as torch.nn.{kind} has; for one for each layer, "
            f"recurra.nn.Recurrent(recurra.cells.{kind.lower()}, input_size, {list(hidden_size)}, …)"
        )


class _DropIn(Recurrent):
    """Base of the drop-in layers: the methods and argument names of torch.nn's layers."""

    mode: str
    hidden_size: int

    def forward(  # type: ignore[override]  # torch.nn's layers have one input
        self,
        input: Input,
        hx: State | None = None,
        reset: Tensor | None = None,
        return_trace: bool | None = None,
    ) -> tuple[Any, ...]:
        """Run the layer, as ``Recurrent.forward`` does; the arguments have torch.nn's names."""
        return self._forward(input, hx, reset, bool(return_trace), {})

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse an input that ``forward`` would refuse; with ``batch_sizes`` it is a packed sequence's data."""
        check = InputCheck(type(self).__name__, self.input_size, self.batch_first)
        weight = getattr(self, self._flat_weights_names[0])
        if batch_sizes is None:
            check.layer(input, weight)
        else:
            check.packed(PackedSequence(input, batch_sizes), weight)

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "expected hidden size {}, got {}"
    ) -> None:
        """Refuse a state of another shape with a RuntimeError, whose message ``msg`` formats with both shapes."""
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(tuple(expected_hidden_size), list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse an input or first states, (num_layers * directions, batch, size), that do not fit."""
        self.check_input(input, batch_sizes)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        given = check_states(type(self).__name__, self.cell.states, hidden)
        for state, size in zip(given, sizes, strict=False):
            self.check_hidden_size(state, (*self.get_expected_hidden_size(input, batch_sizes)[:2], size))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Reorder the batch of states, their dimension 1; None leaves the order."""
        if permutation is None:
            return hx
        if isinstance(hx, tuple):
            return tuple(state.index_select(1, permutation) for state in hx)
        return hx.index_select(1, permutation)

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of h_0 and h_n: (num_layers * directions, batch, size)."""
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.shape[0 if self.batch_first else 1]
        return len(self._scans), batch, self.proj_size or self.hidden_size


class RNN(_DropIn):
    """torch.nn.RNN: the simple recurrent network, h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman 1990).

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: the number of layers. Default 1.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default ``"tanh"``.
        bias: whether there are bias_ih and bias_hh. Default True.
        batch_first: input and output are (batch, seq_len, features). Default False.
        dropout: the probability of dropout between layers. Default 0.
        bidirectional: whether there is a second run, backwards. Default False.
        proj_size: refused.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        checkpoint: see ``Recurrent``. Default None.
        **options: ``compute``, ``learn_initial_state``, ``residual``, ``tie_directions``, ``merge_mode``, ``zoneout``,
            ``recurrent_dropout``, ``weight_drop`` and ``weight_norm``: see ``Recurrent``.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        checkpoint: bool | int | None = None,
        **options: Any,
    ) -> None:
        _refuse_sizes("RNN", hidden_size)
        _refuse_proj("RNN", proj_size)
        _check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            rnn, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device,
            dtype=dtype, checkpoint=checkpoint, **options, nonlinearity=_NONLINEARITIES[nonlinearity],
        )  # fmt: skip
        self.nonlinearity = nonlinearity
        self.mode = f"RNN_{nonlinearity.upper()}"


class LSTM(_DropIn):
    """torch.nn.LSTM: long short-term memory (Gers et al. 2000), gates i f g o.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden and the cell state.
        num_layers: the number of layers. Default 1.
        bias: whether there are bias_ih and bias_hh. Default True.
        batch_first: input and output are (batch, seq_len, features). Default False.
        dropout: the probability of dropout between layers. Default 0.
        bidirectional: whether there is a second run, backwards. Default False.
        proj_size: if above 0, the hidden state is projected to this size (Sak et al. 2014). Default 0.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        checkpoint: see ``Recurrent``. Default None.
        **options: ``compute``, ``learn_initial_state``, ``residual``, ``tie_directions``, ``merge_mode``, ``zoneout``,
            ``recurrent_dropout``, ``weight_drop`` and ``weight_norm``: see ``Recurrent``.
            Options of ``recurra.cells.lstm``: ``activation``, ``recurrent_activation`` and ``cell_clip``.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range.
    """

    mode = "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        checkpoint: bool | int | None = None,
        **options: Any,
    ) -> None:
        _refuse_sizes("LSTM", hidden_size)
        super().__init__(
            lstm, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size=proj_size,
            device=device, dtype=dtype, checkpoint=checkpoint, **options,
        )  # fmt: skip

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of c_0 and c_n: (num_layers * directions, batch, hidden_size)."""
        return (*self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size)


class GRU(_DropIn):
    """torch.nn.GRU: the gated recurrent unit (Cho et al. 2014), reset gate after the product, gates r z n.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: the number of layers. Default 1.
        bias: whether there are bias_ih and bias_hh. Default True.
        batch_first: input and output are (batch, seq_len, features). Default False.
        dropout: the probability of dropout between layers. Default 0.
        bidirectional: whether there is a second run, backwards. Default False.
        proj_size: refused.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        checkpoint: see ``Recurrent``. Default None.
        **options: ``compute``, ``learn_initial_state``, ``residual``, ``tie_directions``, ``merge_mode``, ``zoneout``,
            ``recurrent_dropout``, ``weight_drop`` and ``weight_norm``: see ``Recurrent``.
            Options of ``recurra.cells.gru``: ``activation`` and ``recurrent_activation``.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range.
    """

    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        checkpoint: bool | int | None = None,
        **options: Any,
    ) -> None:
        _refuse_sizes("GRU", hidden_size)
        _refuse_proj("GRU", proj_size)
        super().__init__(
            gru, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device,
            dtype=dtype, checkpoint=checkpoint, **options,
        )  # fmt: skip


class _DropInCell(RecurrentCell):
    """Base of the drop-in cells: the argument names of torch.nn's cells."""

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # type: ignore[override]  # torch.nn's cells have one input
        """Run one step, as ``RecurrentCell.forward`` does; the arguments have torch.nn's names."""
        return super().forward(input, hx)


class RNNCell(_DropInCell):
    """torch.nn.RNNCell: one step of the simple recurrent network.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are bias_ih and bias_hh. Default True.
        nonlinearity: ``"tanh"`` or ``"relu"``. Default ``"tanh"``.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        compute: the operands of matrix products: see ``Recurrent``. Default None.

    Raises:
        ValueError: another nonlinearity.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        compute: Products | None = None,
    ) -> None:
        _check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(
            rnn, input_size, hidden_size, bias, device, dtype, compute=compute,
            nonlinearity=_NONLINEARITIES[nonlinearity],
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTMCell(_DropInCell):
    """torch.nn.LSTMCell: one step of long short-term memory; returns (h, c).

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden and the cell state.
        bias: whether there are bias_ih and bias_hh. Default True.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        compute: the operands of matrix products: see ``Recurrent``. Default None.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        compute: Products | None = None,
    ) -> None:
        super().__init__(lstm, input_size, hidden_size, bias, device, dtype, compute=compute)


class GRUCell(_DropInCell):
    """torch.nn.GRUCell: one step of the gated recurrent unit.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are bias_ih and bias_hh. Default True.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        compute: the operands of matrix products: see ``Recurrent``. Default None.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        compute: Products | None = None,
    ) -> None:
        super().__init__(gru, input_size, hidden_size, bias, device, dtype, compute=compute)
