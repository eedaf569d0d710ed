"""``explain``: the meaning and the shape of everything in a recurrent network. ``check``: whether it is fed as meant."""

from recurra.look.check import Inspection, Suspicion, check
from recurra.look.explain import explain
from recurra.look.explanation import Explanation
from recurra.look.layer_sizes import LayerSizes

__all__ = ["Explanation", "Inspection", "LayerSizes", "Suspicion", "check", "explain"]
