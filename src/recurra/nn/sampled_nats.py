"""``sampled_nats``: an estimate of the cross-entropy over many tokens from some of them, for training.

The sum over all tokens in the softmax is estimated from the target and a sample of the others, each divided by the
probability that the sample has it (Bengio & Senécal 2008; Jean et al. 2015, section 3). The estimate of that sum has no
bias; that of its logarithm has little, and less the larger the sample.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.nn.linear_nats import Computation, NatsOfLogits, Workspace, is_bfloat16

# Probabilities fall with this power of a token's rank. It is the power of the frequency by which Mikolov et al. (2013,
# section 2.2) draw words, and the frequency falls with the rank (Zipf's law).
_EXPONENT = 0.75


class TokenSample(NamedTuple):
    """Tokens that were drawn, and how probable that was.

    Attributes:
        tokens: their numbers, ascending, (drawn,).
        log_probabilities: of each, the logarithm of the probability of being drawn, float32 (drawn,).
    """

    tokens: Tensor
    log_probabilities: Tensor


def draw_tokens(vocabulary: int, count: int, device: torch.device | None = None) -> TokenSample:
    """Draw a sample of about `count` tokens: the most frequent always, each rarer one with the less probability.

    Args:
        vocabulary: the number of tokens, which are numbered by frequency, the most frequent first.
        count: the expected size of the sample, from 1 to `vocabulary`.
        device: of the result. Default: the CPU. The random numbers are those of torch's generator for the CPU.
    """
    probabilities = _probabilities(vocabulary, count)
    tokens = (torch.rand(vocabulary) < probabilities).nonzero()[:, 0]
    return TokenSample(tokens.to(device), probabilities[tokens].log().to(device))


@lru_cache(maxsize=4)
def _probabilities(vocabulary: int, count: int) -> Tensor:
    """The probability of each token to be drawn, float32 (vocabulary,): they add up to `count`, and none is above 1."""
    falling = torch.arange(1, vocabulary + 1, dtype=torch.double) ** -_EXPONENT
    certain = 0  # the number of tokens whose probability would exceed 1
    while True:
        factor = (count - certain) / falling[certain:].sum()
        if certain >= count or falling[certain] * factor <= 1:
            break
        certain += int((falling[certain:] * factor > 1).sum())
    return torch.cat([torch.ones(certain, dtype=torch.double), falling[certain:] * factor]).clamp(max=1).float()


def sampled_nats(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    sample: TokenSample,
    precision: str = "auto",
    workspace: Workspace | None = None,
) -> Tensor:
    """The estimated cross-entropy of the logits ``hidden @ weight.T + bias``, summed over all targets, in nats.

    Args:
        hidden: (rows, features).
        weight: (V, features).
        bias: (V,), or None for zeros.
        targets: the number of each row's token, (rows,), from 0 to V − 1.
        sample: the tokens to which a row's target is compared; if the target is among them, it counts once.
        precision: see :func:`recurra.nn.linear_nats.linear_nats`; so is the workspace.
        workspace: memory to reuse. Default: memory for this call.

    Returns:
        The sum, a scalar of the weight's dtype. It can be differentiated once.
    """
    how = Computation(is_bfloat16(hidden, weight, precision), workspace or Workspace())
    run = partial(_run, targets=targets, sample=sample, how=how)
    result: Tensor = NatsOfLogits.apply(hidden, weight, bias, run)  # type: ignore[no-untyped-call]
    return result


def _run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    wanted: tuple[bool, ...],
    *,
    targets: Tensor,
    sample: TokenSample,
    how: Computation,
) -> tuple[Tensor, list[Tensor | None]]:
    rows = _SampledRows(hidden.to(weight.dtype), weight, bias, targets, sample, how)
    return rows.nats().sum(), rows.gradients(wanted)


class _SampledRows:
    """The rows of a call and their probabilities: of the sample's tokens, and in the last column of the target."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        sample: TokenSample,
        how: Computation,
    ) -> None:
        self.weight, self.bias, self.targets, self.tokens = weight, bias, targets, sample.tokens
        dtype = torch.bfloat16 if how.is_narrow else weight.dtype
        self.hidden = hidden
        self.operands = hidden.to(dtype), weight[sample.tokens].to(dtype)
        self.added = -sample.log_probabilities.to(weight.dtype)
        if bias is not None:
            self.added = self.added + bias[sample.tokens]
        self.values = how.workspace.take(len(hidden), len(sample.tokens) + 1, self.operands[0])

    def nats(self) -> Tensor:
        """The rows' cross-entropy, (rows,)."""
        hidden, weight = self.operands
        others, of_target = self.values[:, :-1], self.values[:, -1]
        torch.mm(hidden, weight.t(), out=others)
        others += self.added.to(others.dtype)
        logits = (self.hidden * self.weight[self.targets]).sum(1)
        if self.bias is not None:
            logits = logits + self.bias[self.targets]
        of_target.copy_(logits)
        self._leave_out_targets(others)
        # The logarithm of a small probability in bfloat16 is too coarse to report, so the sum is float32's.
        totals = torch.logsumexp(self.values.float() if self.values.dtype == torch.bfloat16 else self.values, 1)
        torch.softmax(self.values, 1, out=self.values)
        return totals.to(logits.dtype) - logits

    def _leave_out_targets(self, others: Tensor) -> None:
        if not len(self.tokens):
            return
        places = torch.searchsorted(self.tokens, self.targets).clamp(max=len(self.tokens) - 1)
        rows = (self.tokens[places] == self.targets).nonzero()[:, 0]
        others[rows, places[rows]] = -torch.inf

    def gradients(self, wanted: tuple[bool, ...]) -> list[Tensor | None]:
        """The wanted gradients of hidden, weight and bias; the probabilities are used up."""
        self.values[:, -1] -= 1
        others, of_target = self.values[:, :-1], self.values[:, -1:].to(self.weight.dtype)
        hidden, weight = self.operands
        result: list[Tensor | None] = [None, None, None]
        if wanted[0]:
            result[0] = (others @ weight).to(self.weight.dtype) + of_target * self.weight[self.targets]
        if wanted[1]:
            of_weight = torch.zeros_like(self.weight)
            of_weight.index_add_(0, self.tokens, (others.t() @ hidden).to(self.weight.dtype))
            result[1] = of_weight.index_add_(0, self.targets, of_target * self.hidden)
        if wanted[2] and self.bias is not None:
            of_bias = torch.zeros_like(self.bias)
            of_bias.index_add_(0, self.tokens, others.sum(0, dtype=self.weight.dtype))
            result[2] = of_bias.index_add_(0, self.targets, of_target[:, 0])
        return result
