"""The rules of torch's operations, a file for each family; importing this package fills the table."""

from recurra.nn.graphs.rules import (
    adaptive,
    bags,
    creating,
    elementwise,
    indexing,
    normalizing,
    patches,
    products,
    recurrent,
    reducing,
    shaping,
    sizes,
    windows,
)

__all__ = [
    "adaptive",
    "bags",
    "creating",
    "elementwise",
    "indexing",
    "normalizing",
    "patches",
    "products",
    "recurrent",
    "reducing",
    "shaping",
    "sizes",
    "windows",
]
