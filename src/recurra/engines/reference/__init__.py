"""The reference engine: the definition of what programs compute, forward and backward."""

from recurra.engines.reference.equations import evaluate
from recurra.engines.reference.kernel import ReferenceEngine, ReferenceKernel

__all__ = ["ReferenceEngine", "ReferenceKernel", "evaluate"]
