"""Rules for layers of Keras, a file for each family."""

from recurra.conversion.keras_graphs.rules import (
    activations,
    attention,
    dense,
    merging,
    normalizing,
    operations,
    pooling,
    recurrent,
    shaping,
    windows,
)

__all__ = [
    "activations",
    "attention",
    "dense",
    "merging",
    "normalizing",
    "operations",
    "pooling",
    "recurrent",
    "shaping",
    "windows",
]
