"""Results of a run, made up for tests of its page."""

from recurra.bench.cases import STREAM, Case, CaseShape
from recurra.bench.machine import Cache, Machine
from recurra.bench.records import CaseTimes, EngineUsed, Kept, Levels, Peak

CASE = Case("layer", "gru", CaseShape(100, 32, 28, 128), False)
SINGLE = Case("stream", "lstm", STREAM, True)
LEVELS = [["L1", 1 << 15, False, 2e11], ["L2", 1 << 20, False, 1e11], ["memory", 0, True, 2e10]]
LINES = (
    EngineUsed(1, "native"),
    Levels(1, LEVELS),
    Peak(1, 1.0e11),
    CaseTimes(
        CASE.name, 1, {"recurra": [0.02, 0.02, 0.03], "torch": [0.03, 0.05, 0.03]}, {"torch": 1e-7}, {"jax": "gone"}
    ),
    CaseTimes(SINGLE.name, 1, {"recurra": [1e-5] * 3, "torch": [8e-6] * 3}),
    Peak(1, 1.1e11),
    Kept("recurra", 60 << 20, 25 << 20, 25 << 20),
)
MACHINE = Machine(
    "A processor", "AMD Zen 4", 2, (Cache("L1", 1 << 15, False), Cache("L2", 3 << 19, True)), 2500.0, 32, 24 << 30,
    "Linux 6", "3.12", {"torch": "2.13", "numpy": "2.4"},
)  # fmt: skip
