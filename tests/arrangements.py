"""Layers that are put together in every way: a table by name, for the tests of all that runs layers."""

import torch

from recurra import cells
from recurra.nn import Recurrent

F, H = 6, 4
ALL = {"bidirectional": True, "learn_initial_state": True, "tie_directions": True, "merge_mode": "ave"}
ARRANGEMENTS = {
    "learned": ("lstm", H, {"num_layers": 2, "learn_initial_state": True}),
    "learned, both": ("gru", H, {"num_layers": 2, "bidirectional": True, "learn_initial_state": True}),
    "learned, projected": ("lstm", H, {"num_layers": 2, "proj_size": 3, "learn_initial_state": True}),
    "sizes": ("lstm", [4, 3], {}),
    "sizes, both": ("gru", [3, 5], {"bidirectional": True, "bias": False}),
    "sizes, projected": ("lstm", [4, 3], {"proj_size": 2, "bidirectional": True}),
    "sizes of one layer": ("indrnn", [4], {}),
    "residual": ("gru", 6, {"num_layers": 3, "residual": True}),
    "residual but first": ("lstm", H, {"num_layers": 3, "residual": True, "bidirectional": True}),
    "residual in one": ("indrnn", [4, 4, 5], {"residual": True}),
    "tied": ("lstm", H, {"num_layers": 2, "bidirectional": True, "tie_directions": True}),
    "sum": ("gru", H, {"num_layers": 2, "bidirectional": True, "merge_mode": "sum"}),
    "mul": ("lstm", H, {"num_layers": 2, "bidirectional": True, "merge_mode": "mul", "proj_size": 3}),
    "ave": ("indrnn", H, {"num_layers": 2, "bidirectional": True, "merge_mode": "ave"}),
    "everything": ("lstm", [6, 6, 5], {**ALL, "residual": True}),
}


def make(name, **others):
    cell, size, options = ARRANGEMENTS[name]
    torch.manual_seed(0)
    layer = Recurrent(cells.all()[cell], F, size, **{"dtype": torch.float64, **options, **others})
    if layer.learn_initial_state:
        with torch.no_grad():
            for parameter, weight in layer.named_parameters():
                if "_0_l" in parameter:
                    torch.nn.init.normal_(weight)
    return layer


def flat(value):
    """The tensors in a nested result."""
    return [value] if isinstance(value, torch.Tensor) else [tensor for item in value for tensor in flat(item)]
