"""``EncoderDecoder``: one recurrent module reads the past, another goes on from its states over the steps to come."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from recurra.nn.stack import is_recurrent, run_parts


class EncoderDecoder(nn.Module):
    """An encoder and a decoder that begins with the encoder's last states: ``output = module(past, future)``.

    ``EncoderDecoder(GRU(5, 64), Stack(GRU(3, 64), nn.Linear(64, 11)))`` forecasts 11 numbers for each step to come.

    Args:
        encoder: a recurrent layer of recurra or torch.nn, or a Stack with layers.
        decoder: another one, with the same states: as many layers of the same cell and hidden_size.

    Raises:
        TypeError: one of them has no states.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        for name, module in (("encoder", encoder), ("decoder", decoder)):
            if not is_recurrent(module):
                raise TypeError(
                    f"the {name} must be a recurrent layer or a Stack with some, not {type(module).__name__}"
                )
        self.encoder, self.decoder = encoder, decoder

    def forward(self, past: Any, future: Any) -> Tensor:
        """Run the encoder, then the decoder from its last states.

        Args:
            past: the encoder's input, (steps, batch, features), or laid out as its layers take it.
            future: the decoder's input, (steps to come, batch, features), or laid out as its layers take it.

        Returns:
            The decoder's output, (steps to come, batch, outputs), or laid out as its layers give it.

        Raises:
            ValueError, RuntimeError: an input or the encoder's state does not fit; the message names the dimensions.
        """
        _, state = run_parts([self.encoder], past)
        output: Tensor = run_parts([self.decoder], future, state)[0]
        return output
