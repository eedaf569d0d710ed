"""``quantize``, a copy of a module whose recurrent and linear layers multiply whole numbers of 8 bits."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from recurra.cells import feed_forward
from recurra.compiler import Plan, drop_biases, plan, trace
from recurra.engines import Call, choose
from recurra.engines.protocol import Kernel
from recurra.errors import EngineError
from recurra.nn.acceleration.accelerate import accelerate
from recurra.nn.fixed import FixedConfiguration
from recurra.program import Sizes

Module = TypeVar("Module", bound=nn.Module)


def quantize(module: Module) -> Module:
    """Make a copy of a model whose recurrent and linear layers compute in int8, for inference on the CPU.

    Both operands of each matrix product are rounded to whole numbers from -127 to 127: a row of a weight with a scale
    of its own, once; a step of a sequence with a scale of its own, in each call. The sums are exact; states, biases and
    all elementwise work stay float32. So results do not depend on the batch, and a stream gives those of the whole
    sequence, to the bit. It is for float32 models: the layers of recurra, torch.nn.RNN, LSTM, GRU and their cells, as
    ``accelerate`` runs them, and torch.nn.Linear. Everything else is copied as it is.

    Weights are packed at the first call: a later change of one has no effect. ``recurra.save`` writes the copy with
    float32 weights, and says in the file that they compute in int8; ``recurra export --weights int8`` stores int8.

    Args:
        module: a layer, or a module that holds some; it stays as it is.

    Returns:
        the copy, in evaluation mode; weights of its quantized layers need no gradients.

    Raises:
        TypeError: it is no torch.nn.Module.
        ValueError: it holds none of these layers, or one is not float32.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"quantize: a torch.nn.Module is needed; got {type(module).__name__}")
    quantized = accelerate(copy.deepcopy(module).eval())
    found = [(name, part) for name, part in quantized.named_modules() if _is_fit(part)]
    if not found:
        raise ValueError(f"quantize: {type(module).__name__} has no recurrent and no linear layer")
    for name, part in found:
        for weight in part.parameters(recurse=False):
            if weight.dtype != torch.float32:
                raise ValueError(f"quantize: {name or type(part).__name__} must be float32; it is {weight.dtype}")
            weight.requires_grad_(False)
        if isinstance(part, FixedConfiguration):
            part.compute = "int8"
            calls: Any = part._calls
            calls.freeze()
        else:
            part.__class__ = QuantizedLinear
    return quantized


def _is_fit(part: nn.Module) -> bool:
    return isinstance(part, FixedConfiguration) or type(part) is nn.Linear


@lru_cache(maxsize=2)
def _plan(has_bias: bool) -> Plan:
    program = trace(feed_forward.linear)
    return plan(program if has_bias else drop_biases(program))


class QuantizedLinear(nn.Linear):
    """A linear map that computes in int8, as ``quantize`` makes it of torch.nn.Linear."""

    _packed: tuple[Kernel, object] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}

    def forward(self, input: Tensor) -> Tensor:
        """Compute x Wᵀ + b.

        Args:
            input: (…, in_features), float32.

        Returns:
            (…, out_features).

        Raises:
            EngineError: a gradient of x is asked for.
            ValueError: x has another dtype or number of features.
        """
        if not input.is_cpu or torch.compiler.is_compiling():
            return super().forward(input)
        if input.dtype != torch.float32 or input.ndim == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"Linear input must be float32 (…, in_features={self.in_features}); got {input.dtype} "
                f"{tuple(input.shape)}"
            )
        if input.requires_grad and torch.is_grad_enabled():
            raise EngineError("a quantized Linear computes in int8, which has no gradients: call it under no_grad()")
        sizes = Sizes(self.in_features, self.out_features)
        parameters = [each for each in (self.weight, self.bias) if each is not None]
        kernel, packed = self._kernel(parameters, sizes)
        rows = input.detach().reshape(1, -1, self.in_features)
        call = Call(x=rows, batch_sizes=None, states=(), parameters=parameters, sizes=sizes, packed=packed)
        output: Tensor = kernel.forward(call).output
        return output.reshape(*input.shape[:-1], self.out_features)

    def _kernel(self, parameters: list[Tensor], sizes: Sizes) -> tuple[Kernel, object]:
        """The kernel of the chosen engine, and the weights packed for it."""
        scheduled = _plan(self.bias is not None)
        kernel = choose(scheduled, "float32", compute="int8").build(scheduled)
        if self._packed is None or self._packed[0] is not kernel:
            self._packed = kernel, kernel.pack(parameters, sizes, "float32")
        return self._packed

    def extra_repr(self) -> str:
        """Show the sizes, and that it computes in int8."""
        return f"{super().extra_repr()}, compute='int8'"
