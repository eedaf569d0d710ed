"""The peers that are timed beside recurra; each has a module, which is loaded when it is needed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from recurra.bench.cases import Case

if TYPE_CHECKING:
    from recurra.bench.problem import Problem
    from recurra.bench.side import Side


@dataclass(frozen=True)
class Peer:
    """A library, or a way of using one, to compare recurra with.

    Attributes:
        name: its name on the command line.
        title: its name in a report.
        covers: whether it can run a case, given the number of threads.
        packages: the packages that must be installed.
        holds_weights: whether it packs its weights when it is made; if so, it is compared with recurra's frozen layer.
    """

    name: str
    title: str
    covers: Callable[[Case, int], bool]
    packages: tuple[str, ...] = ()
    holds_weights: bool = False

    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(name for name in self.packages if importlib.util.find_spec(name) is None)

    def side(self, problem: Problem, threads: int) -> Side:
        """The peer, ready to run a problem with so many threads."""
        module = importlib.import_module(f"{__name__}.{self.name.replace('-', '_')}_peer")
        return cast("Side", module.side(problem, threads))


def _sequences(case: Case) -> bool:
    return case.group in ("stream", "layer")


_ALL = (
    Peer("torch", "torch.nn", lambda case, _: case.group in ("stream", "layer", "packed", "step")),
    Peer(
        "onnxruntime",
        "onnxruntime",
        lambda case, _: _sequences(case) and not case.training,
        ("onnx", "onnxruntime"),
        holds_weights=True,
    ),
    Peer(
        "openvino",
        "openvino",
        lambda case, _: _sequences(case) and not case.training,
        ("onnx", "openvino"),
        holds_weights=True,
    ),
    Peer("jax", "jax", lambda case, _: _sequences(case), ("jax",)),
    Peer("loop", "the same equations, looped in torch", lambda case, _: case.group == "custom"),
    Peer(
        "torchrecurrent",
        "torchrecurrent",
        lambda case, _: case.group == "custom" and case.cell in ("peephole_lstm", "mgu"),
        ("torchrecurrent",),
    ),
    Peer("padded", "recurra itself, on the padded batch", lambda case, _: case.group == "packed"),
    Peer("own-lstm", "recurra's own LSTM", lambda case, _: case.group == "own"),
    Peer(
        "one-thread",
        "recurra itself, on one thread",
        lambda case, threads: case.group == "layer" and case.shape.batch >= 16 and threads > 1,
    ),
)
PEERS = {peer.name: peer for peer in _ALL}
