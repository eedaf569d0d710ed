"""The rules of torch's operations, a file for each family; importing this package fills the table."""

from recurra.nn.graphs.rules import (
    creating,
    elementwise,
    indexing,
    normalizing,
    products,
    recurrent,
    reducing,
    shaping,
    sizes,
    windows,
)

__all__ = [
    "creating",
    "elementwise",
    "indexing",
    "normalizing",
    "products",
    "recurrent",
    "reducing",
    "shaping",
    "sizes",
    "windows",
]
