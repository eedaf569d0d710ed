"""``Ensemble``: several modules for the same task."""

from __future__ import annotations

from typing import Any

from torch import nn


class Ensemble(nn.ModuleList):
    """Modules for the same task, which one file of ``recurra.save`` holds: ``results = ensemble(x)``.

    Args:
        *members: the modules, which need not be alike.
    """

    def __init__(self, *members: nn.Module) -> None:
        super().__init__(members)

    def forward(self, *inputs: Any) -> list[Any]:
        """Run every member.

        Args:
            *inputs: the inputs of each member.

        Returns:
            What each member returns, in order.
        """
        return [member(*inputs) for member in self]
