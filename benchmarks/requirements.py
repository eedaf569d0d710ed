"""The ratios and shares of the floor that recurra is required to reach, row by row and over groups of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recurra.bench.cases import Case, CaseShape
from recurra.bench.figures import Figures, Share
from recurra.bench.peers import PEERS
from recurra.bench.rows import PeerRow, geometric_mean

SMALL = CaseShape(100, 1, 32, 32)
LONG = CaseShape(784, 64, 1, 128)
BATCH = 16  # from here on, the products take most of the time
WIDE = 128  # from here on, one sequence is bound by the bandwidth of the caches

FLOOR_BATCHED = 0.85
FLOOR_SINGLE = 0.7
CUSTOM_TO_OWN = 1.25


def required(case: Case, peer: str) -> float | None:
    """The least ratio of the peer's time to recurra's; None if nothing is required."""
    if peer == "torch":
        return _torch(case)
    if peer in ("onnxruntime", "openvino"):
        return 1.5 if case.shape.batch == 1 and case.shape.hidden <= WIDE else 1.0
    if peer in ("loop", "torchrecurrent"):
        return 50.0 if case.shape == SMALL else 2.5 if case.training else None
    return {"jax": 1.3, "padded": 1.0, "own-lstm": 1 / CUSTOM_TO_OWN, "one-thread": 1.7}[peer]


def _torch(case: Case) -> float:
    if case.group == "step":
        return 1.5
    if case.group == "packed":
        return 2.5 if case.cell == "lstm" else 1.5
    if case.cell == "rnn":
        return 1.1
    if case.cell == "gru":
        return 15.0 if case.shape == SMALL else 1.2
    if case.shape == SMALL:
        return 3.0 if case.training else 4.0
    return 2.0 if case.shape == LONG and case.training else 1.0


def required_share(case: Case) -> float | None:
    """The least share of the floor in recurra's time; None if nothing is required.

    Nothing is required of a single step, whose call takes longer than its computation.
    """
    shape = case.shape
    if case.group != "layer":
        return None
    if shape.batch >= BATCH:
        return FLOOR_BATCHED
    return FLOOR_SINGLE if shape.batch == 1 and shape.hidden >= WIDE else None


@dataclass(frozen=True)
class Mean:
    """A requirement on the geometric mean of a group's ratios.

    Attributes:
        peer: the name of the peer.
        cell: the name of the rows' cell; empty for all cells.
        training: the mode of the rows; None for both modes.
        least: the least mean that is required.
    """

    peer: str
    cell: str
    training: bool | None
    least: float

    def rows(self, all_rows: Iterable[PeerRow], threads: int) -> list[PeerRow]:
        """The rows of the mean."""
        return [
            row
            for row in all_rows
            if row.peer == self.peer
            and row.threads == threads
            and row.case.group in ("stream", "layer")
            and row.case.cell in (self.cell or row.case.cell,)
            and self.training in (None, row.case.training)
        ]


MEANS = (
    Mean("torch", "gru", False, 3.0),
    Mean("torch", "gru", True, 4.0),
    Mean("torch", "rnn", None, 2.5),
    Mean("jax", "", None, 2.0),
)


@dataclass(frozen=True)
class Verdict:
    """A figure and what is required of it.

    Attributes:
        what: the name of the figure.
        figure: its value; None if it could not be measured.
        least: the least value that is required.
    """

    what: str
    figure: float | None
    least: float

    @property
    def is_met(self) -> bool:
        """Whether there is a figure, and it is large enough."""
        return self.figure is not None and self.figure >= self.least


def of_row(row: PeerRow, what: str) -> Verdict | None:
    """The verdict on a row; None if nothing is required."""
    least = required(row.case, row.peer)
    return None if least is None else Verdict(what, row.ratio.middle if row.ratio else None, least)


def of_share(share: Share, what: str) -> Verdict | None:
    """The verdict on a share of the floor; None if nothing is required."""
    least = required_share(share.own.case)
    return None if least is None else Verdict(what, share.value, least)


def of_mean(mean: Mean, all_rows: Iterable[PeerRow], threads: int, what: str) -> Verdict | None:
    """The verdict on a mean; None if there are no rows."""
    chosen = mean.rows(all_rows, threads)
    ratios = [row.ratio.middle for row in chosen if row.ratio]
    if not chosen:
        return None
    return Verdict(what, geometric_mean(ratios) if len(ratios) == len(chosen) else None, mean.least)


def verdicts(figures: Figures) -> dict[str, list[Verdict]]:
    """All verdicts on a run, by kind of requirement."""
    by_kind: dict[str, list[Verdict | None]] = {}
    for row in figures.rows:
        title = PEERS[row.peer].title
        what = f"{row.case.name}, {_threads(row.threads)}, against {title}" + f" ({row.failure})" * bool(row.failure)
        by_kind.setdefault(f"ratio to {title}", []).append(of_row(row, what))
    for mean in MEANS:
        for threads in sorted({row.threads for row in figures.rows}):
            count = len(mean.rows(figures.rows, threads))
            what = f"geometric mean of {count} rows, {_described(mean)}, {_threads(threads)}"
            by_kind.setdefault("geometric means", []).append(of_mean(mean, figures.rows, threads, what))
    for share in figures.shares:
        what = f"{share.own.case.name}, {_threads(share.own.threads)}, share of the floor"
        by_kind.setdefault("share of the floor", []).append(of_share(share, what))
    kept = {kind: [each for each in all_of_kind if each is not None] for kind, all_of_kind in by_kind.items()}
    return {kind: some for kind, some in kept.items() if some}


def _described(mean: Mean) -> str:
    mode = {None: "all modes", False: "inference", True: "training"}[mean.training]
    return f"{mean.cell or 'all cells'}, {mode}, against {PEERS[mean.peer].title}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"
