"""A museum of broken and malicious files, all built here; none of them is a model.

Each module registers its exhibits: importing the package fills :data:`EXHIBITS`.
"""

from tests.model.museum import containers, descriptions, forecasters, graphs, parts, programs, weights
from tests.model.museum.exhibits import EXHIBITS

__all__ = ["EXHIBITS", "containers", "descriptions", "forecasters", "graphs", "parts", "programs", "weights"]
