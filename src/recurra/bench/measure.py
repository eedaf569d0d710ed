"""Measures a case: checks that all sides compute the same numbers, then times them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy

from recurra.bench.cases import Case
from recurra.bench.peers import Peer, loop_peer, torch_peer
from recurra.bench.problem import Problem, make
from recurra.bench.records import CaseTimes
from recurra.bench.rows import FROZEN
from recurra.bench.side import TOLERANCE, Results, Side, difference
from recurra.bench.timing import Rounds, race
from recurra.bench.torch_side import torch_side
from recurra.errors import RunError
from recurra.nn import frozen

AGAIN, AGAIN_SECONDS = 10, 0.5  # calls and seconds of the check of recurra after the timing


def measure(case: Case, threads: int, peers: Sequence[Peer], rounds: Rounds) -> CaseTimes:
    """Time recurra and its peers in a case; the record names every side that fails or computes other numbers.

    Args:
        case: the case to run.
        threads: the number of threads that each side may use.
        peers: the peers to time beside recurra.
        rounds: the numbers of rounds.
    """
    record = CaseTimes(case.name, threads)
    try:
        _measure(case, peers, rounds, record)
    except Exception as error:  # a failure in one case must not end the others
        record.failures.update({peer.name: one_line(error) for peer in peers if peer.name not in record.failures})
    return record


def _measure(case: Case, peers: Sequence[Peer], rounds: Rounds, record: CaseTimes) -> None:
    problem = make(case)
    ours = torch_side("recurra", problem.layer, problem, threads=record.threads)
    results = ours.results() if ours.results else {}
    sides = [ours]
    with ExitStack() as promises:
        if any(peer.holds_weights for peer in peers):
            layer = promises.enter_context(frozen(deepcopy(problem.layer)))
            sides.append(torch_side(FROZEN, layer, problem, threads=record.threads))
        for peer in peers:
            try:
                side = peer.side(problem, record.threads)
                if _agrees(side, results, problem, record):
                    sides.append(side)
            except Exception as error:
                record.failures[peer.name] = f"{peer.name} failed: {one_line(error)}"
        times = race(sides, rounds)
        _check_again(ours, results)
    record.times.update(times)


def _check_again(ours: Side, results: Results) -> None:
    """Check that recurra still computes the same numbers: races between threads show only now and then.

    Raises:
        RunError: the numbers have changed.
    """
    end = time.monotonic() + AGAIN_SECONDS
    for _ in range(AGAIN):
        off, where = difference(ours.results() if ours.results else {}, results)
        if not off <= TOLERANCE:
            raise RunError(f"recurra's numbers change from call to call, by {off:.1e} in {where}")
        if time.monotonic() > end:
            return


def _agrees(side: Side, results: Results, problem: Problem, record: CaseTimes) -> bool:
    """Whether a side computes recurra's numbers; the record gets the difference and, if it is too large, a failure."""
    if side.results is None:
        return True
    theirs = side.results()
    off, where = difference(results, theirs)
    record.differences[side.name] = off
    if off <= TOLERANCE:
        return True
    exact = _exact(problem)
    judged = {name: exact[name] for name in theirs}
    record.failures[side.name] = (
        f"differs by {off:.1e} in {where}; from float64, recurra by {difference(results, judged)[0]:.1e} and "
        f"{side.name} by {difference(theirs, judged)[0]:.1e}"
    )
    return False


def _exact(problem: Problem) -> Results:
    """The results of torch in float64."""
    peer = loop_peer if problem.case.group == "custom" else torch_peer
    side = peer.side(problem.double(), 1)
    return side.results() if side.results else {}


def one_line(error: Exception) -> str:
    """An exception on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
