"""``explain``: the meaning and the shape of everything in a recurrent network."""

from recurra.look.explain import explain
from recurra.look.explanation import Explanation
from recurra.look.layer_sizes import LayerSizes

__all__ = ["Explanation", "LayerSizes", "explain"]
