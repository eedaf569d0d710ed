"""The reference engine: it defines the results of programs, forward and backward."""

from recurra.engines.reference.equations import evaluate
from recurra.engines.reference.kernel import ReferenceEngine, ReferenceKernel

__all__ = ["ReferenceEngine", "ReferenceKernel", "evaluate"]
