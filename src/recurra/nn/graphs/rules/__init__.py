"""The rules of torch's operations, a file for each family; importing this package fills the table."""

from recurra.nn.graphs.rules import (
    adaptive,
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
