"""``AdaptiveSoftmax``: an output for large vocabularies, which spends few multiplications on rare classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.cells.adaptive_softmax import MAX_CUTOFFS, MAX_FACTOR, cluster_widths
from recurra.nn.linear_nats import Workspace, linear_nats


class AdaptiveSoftmax(nn.Module):
    """The adaptive softmax (Grave et al. 2017): the log-probabilities of classes that are numbered by frequency.

    It has the parameters, their names and the numbers of torch.nn.AdaptiveLogSoftmaxWithLoss, but its output is the
    log-probabilities of all classes, so that it can be the last part of a ``Stack``. In training, ``nats`` computes the
    loss without them.

    Args:
        in_features: features of the input.
        n_classes: the number of classes.
        cutoffs: the number of classes before each cluster of rarer ones: at most 100 numbers from 1, ascending, below
            ``n_classes``.
        div_value: the factor by which each cluster has fewer features than the one before, 1 to 1000. Default 4.
        head_bias: whether the frequent classes and the clusters have a bias. Default False.

    Raises:
        ValueError: the cutoffs are not such numbers, the factor is out of range, or a cluster has no features left.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs, self.div_value, self.head_bias = tuple(cutoffs), float(div_value), head_bias
        ends = (*self.cutoffs, n_classes)
        if not self.cutoffs or self.cutoffs[0] < 1 or any(first >= last for first, last in pairwise(ends)):
            raise ValueError(f"cutoffs must be ascending, from 1, and below the number of classes, {n_classes}")
        if len(self.cutoffs) > MAX_CUTOFFS or not 1 <= div_value <= MAX_FACTOR:
            raise ValueError(f"there are at most {MAX_CUTOFFS} cutoffs, and div_value is from 1 to {MAX_FACTOR}")
        widths = cluster_widths(in_features, len(self.cutoffs), self.div_value)
        if min(widths) < 1:
            raise ValueError(f"{in_features} features are too few for {len(widths)} clusters with 1/{div_value:g} each")
        self.head = nn.Linear(in_features, self.cutoffs[0] + len(self.cutoffs), bias=head_bias)
        self.tail = nn.ModuleList(
            nn.Sequential(nn.Linear(in_features, width, bias=False), nn.Linear(width, last - first, bias=False))
            for width, (first, last) in zip(widths, pairwise(ends), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The log-probabilities of all classes, (…, n_classes), for x, (…, in_features)."""
        sizes = (self.cutoffs[0], *[1] * len(self.tail))
        frequent, *clusters = torch.split_with_sizes(functional.log_softmax(self.head(x), -1), sizes, -1)
        rare = [
            functional.log_softmax(tail(x), -1) + cluster for tail, cluster in zip(self.tail, clusters, strict=True)
        ]
        return torch.cat([frequent, *rare], -1)

    def nats(
        self, hidden: Tensor, targets: Tensor, precision: str = "auto", workspace: Workspace | None = None
    ) -> Tensor:
        """The cross-entropy, summed over all targets, in nats; a cluster is computed for its own targets alone.

        Args:
            hidden: (rows, in_features).
            targets: the class of each row, (rows,).
            precision: see :func:`recurra.nn.linear_nats.linear_nats`; so is the workspace.
            workspace: memory to reuse. Default: memory for this call.
        """
        first = self.cutoffs[0]
        number = torch.bucketize(targets, targets.new_tensor(self.cutoffs), right=True)  # 0 for the frequent classes
        heads = torch.where(number > 0, first - 1 + number, targets)
        total = linear_nats(hidden, self.head.weight, self.head.bias, heads, precision, workspace)
        for cluster, (tail, cutoff) in enumerate(zip(self.tail, self.cutoffs, strict=True), start=1):
            narrowing, output = cast(nn.Sequential, tail)
            rows = (number == cluster).nonzero()[:, 0]
            narrow = narrowing(hidden.index_select(0, rows))
            total = total + linear_nats(
                narrow, cast(Tensor, output.weight), None, targets[rows] - cutoff, precision, workspace
            )
        return total

    def extra_repr(self) -> str:
        """The sizes and the cutoffs."""
        return f"{self.in_features}, {self.n_classes}, cutoffs={self.cutoffs}"
