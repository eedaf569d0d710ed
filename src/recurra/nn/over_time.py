"""Convolutions and pooling over time as layers, with the steps that they have seen as states."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from recurra.cells.over_time import convolution, running_max, running_mean
from recurra.compiler import TracedCell
from recurra.nn.checks import as_int, check_flags
from recurra.nn.recurrent import Recurrent


class Conv1d(Recurrent):
    """A convolution over time as a layer: (seq_len, batch, in_channels) to as many steps of out_channels.

    Zeros stand before the first step and, unless it is causal, behind the last one of each sequence. So lengths of
    packed sequences hold for it. It is called as a recurrent layer, ``output, state = conv(x, state)``, and is a
    recurrent part of a ``Stack``: the state of a causal one is the last (kernel_size - 1) * dilation inputs, so that a
    stream of it, in chunks of any size, gives the same bits as the whole sequence.

    ``weight_l0`` is (out_channels, taps * in_channels): the columns of the present step first, then those of dilation
    steps before it, and so on. A convolution that is not causal runs in both directions, whose outputs are added, and
    each has its own weight; the present step of ``weight_l0_reverse`` starts at zero.

    Args:
        in_channels: features of the input.
        out_channels: features of the output.
        kernel_size: the number of steps that an output sees, at least 2; odd, unless it is causal.
        dilation: steps between two of them. Default 1.
        causal: whether an output sees the present and earlier steps alone. Default False: as many earlier as later.
        bias: whether a bias is added. Default True.
        batch_first: input and output are (batch, seq_len, features). Default False.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        causal: bool = False,
        bias: bool = True,
        batch_first: bool = False,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        kernel_size, dilation = as_int("kernel_size", kernel_size), as_int("dilation", dilation)
        check_flags(causal=causal, bias=bias)
        if kernel_size < 2:
            raise ValueError(f"kernel_size must be at least 2; got {kernel_size}: for one step, torch.nn.Linear")
        if dilation < 1:
            raise ValueError(f"dilation must be positive; got {dilation}")
        if not causal and kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd, so that an output sees as many earlier as later steps; got {kernel_size}: "
                "causal=True takes any"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.dilation, self.causal = kernel_size, dilation, causal
        taps = kernel_size if causal else (kernel_size + 1) // 2
        super().__init__(
            TracedCell(convolution(taps, dilation, bias)), in_channels, out_channels, bias=bias,
            batch_first=batch_first, bidirectional=not causal, merge_mode="concat" if causal else "sum",
            device=device, dtype=dtype,
        )  # fmt: skip

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all parameters anew from U(-1/√n, 1/√n) for n = in_channels * kernel_size, as torch.nn.Conv1d does."""
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size)
        for name, parameter in self.named_parameters():
            if name == "bias_l0_reverse":
                parameter.zero_()
                continue
            parameter.uniform_(-bound, bound)
            if name == "weight_l0_reverse":
                parameter[:, : self.in_channels] = 0

    @classmethod
    @torch.no_grad()
    def from_torch(cls, module: nn.Conv1d, causal: bool = False, batch_first: bool = False) -> Conv1d:
        """Make the same convolution as one of torch.nn's, whose input has the time last.

        Args:
            module: a convolution of stride 1 in one group.
            causal: whether the input of ``module`` is padded on the left alone, by (kernel_size - 1) * dilation zeros.
                Default False: it is padded on both sides, as by ``padding="same"``.
            batch_first: see ``Conv1d``. Default False.

        Raises:
            TypeError: it is no torch.nn.Conv1d.
            ValueError: it has strides or groups, or another padding.
        """
        if not isinstance(module, nn.Conv1d):
            raise TypeError(f"from_torch takes a torch.nn.Conv1d, not {type(module).__name__}")
        (kernel_size,), (dilation,), (stride,) = module.kernel_size, module.dilation, module.stride
        if stride != 1 or module.groups != 1 or module.padding_mode != "zeros":
            raise ValueError(
                f"recurra.nn.Conv1d has stride 1, one group and zeros outside; got stride={stride}, "
                f"groups={module.groups}, padding_mode={module.padding_mode!r}"
            )
        if not causal and module.padding not in ("same", ((kernel_size - 1) * dilation // 2,)):
            raise ValueError(
                f"padding must keep the length, as padding='same' does; got {module.padding!r}: if the input is padded "
                "on the left alone, give causal=True"
            )
        own = cls(
            module.in_channels, module.out_channels, kernel_size, dilation, causal, module.bias is not None,
            batch_first, device=module.weight.device, dtype=module.weight.dtype,
        )  # fmt: skip
        present = kernel_size - 1 if causal else kernel_size // 2
        own._set("weight_l0", module.weight[..., : present + 1].flip(2))
        if not causal:
            own._set("weight_l0_reverse", module.weight[..., present:])
            own.get_parameter("weight_l0_reverse")[:, : module.in_channels] = 0
        if module.bias is not None:
            own.get_parameter("bias_l0").copy_(module.bias)
        return own

    def _set(self, name: str, taps: torch.Tensor) -> None:
        """Set a weight to taps, (out_channels, in_channels, count), the present one first."""
        self.get_parameter(name).copy_(taps.transpose(1, 2).flatten(1))

    def extra_repr(self) -> str:
        """The sizes, and the arguments that differ from their defaults."""
        shown = {"dilation": 1, "causal": False, "bias": True, "batch_first": False}
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        parts += [f"{name}={getattr(self, name)}" for name, usual in shown.items() if getattr(self, name) != usual]
        return ", ".join(parts)


class _Running(Recurrent):
    """Base of the layers that pool over the steps so far."""

    def __init__(self, features: int, batch_first: bool = False) -> None:
        super().__init__(TracedCell(self._pooling()), features, features, batch_first=batch_first)

    def _pooling(self) -> Any:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The number of features, and batch_first where it is set."""
        return f"{self.input_size}" + (", batch_first=True" if self.batch_first else "")


class RunningMean(_Running):
    """The mean over all steps so far, at each step; the last step has the mean over the whole sequence.

    It is called as a recurrent layer, ``output, state = mean(x, state)``; the state is the number of steps and their
    sum. Lengths of packed sequences hold for it, and a stream gives the mean so far.

    Args:
        features: features of the input, and of the output.
        batch_first: input and output are (batch, seq_len, features). Default False.
    """

    def _pooling(self) -> Any:
        return running_mean()


class RunningMax(_Running):
    """The maximum over all steps so far, at each step; the last step has the maximum over the whole sequence.

    It is called as a recurrent layer, ``output, state = largest(x, state)``; the state is the number of steps and the
    maximum. Lengths of packed sequences hold for it, and a stream gives the maximum so far.

    Args:
        features: features of the input, and of the output.
        batch_first: input and output are (batch, seq_len, features). Default False.
    """

    def _pooling(self) -> Any:
        return running_max()
