"""``explain``: shapes; ``check``: cells, mistakes; ``gates``, ``gradient_reach``, ``units``: what goes on inside."""

from recurra.look.cell_check.result import CellCheck
from recurra.look.cell_facts import CellFacts
from recurra.look.check import check
from recurra.look.explain import explain
from recurra.look.explanation import Explanation
from recurra.look.input_check import Inspection, Suspicion
from recurra.look.layer_sizes import LayerSizes
from recurra.look.seeing.gates import LayerGates, gates
from recurra.look.seeing.painting import PaintedText
from recurra.look.seeing.properties import Property
from recurra.look.seeing.ranking import Units, units
from recurra.look.seeing.reach import Reach, gradient_reach
from recurra.look.seeing.series_properties import series_properties
from recurra.look.seeing.text_properties import text_properties

__all__ = [
    "CellCheck",
    "CellFacts",
    "Explanation",
    "Inspection",
    "LayerGates",
    "LayerSizes",
    "PaintedText",
    "Property",
    "Reach",
    "Suspicion",
    "Units",
    "check",
    "explain",
    "gates",
    "gradient_reach",
    "series_properties",
    "text_properties",
    "units",
]
