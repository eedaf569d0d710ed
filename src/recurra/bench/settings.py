"""``BenchSettings``: the options of a run of the benchmark."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from recurra.bench.cases import MEMORY, Case, cases, is_quick
from recurra.bench.peers import PEERS, Peer
from recurra.errors import RecurraError


@dataclass(frozen=True)
class BenchSettings:
    """The cases, the peers and the thoroughness of a run.

    Attributes:
        quick: whether to run fewer cases and fewer rounds, which takes a few minutes. Default False.
        only: a regular expression; cases in whose name it is not found are left out. Default empty, for all.
        peers: the names of the peers. Default empty, for all.
        threads: the numbers of threads, each measured in a process of its own. Default 1 and 2.
    """

    quick: bool = False
    only: str = ""
    peers: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1, 2)

    def check(self) -> None:
        """Refuse settings that make no sense.

        Raises:
            RecurraError: a setting makes no sense; the message names the option.
        """
        try:
            re.compile(self.only)
        except re.error as error:
            raise RecurraError(f"--only is not a regular expression: {error}") from None
        unknown = [name for name in self.peers if name not in PEERS]
        if unknown:
            raise RecurraError(f"--peer: there is no {unknown[0]!r}; there are {', '.join(PEERS)}")
        if min(self.threads, default=1) < 1:
            raise RecurraError(f"--threads must be 1 or more; got {min(self.threads)}")
        if not self.wants_memory and not any(True for threads in self.threads for _ in self.cases(threads)):
            example = next(cases()).name
            raise RecurraError(f"nothing is left to time: no case suits all options; a case's name is {example!r}")

    @property
    def command(self) -> str:
        """The command line with these settings."""
        words = ["recurra", "bench", *["--quick"] * self.quick]
        words += ["--only", self.only] if self.only else []
        words += [word for name in self.peers for word in ("--peer", name)]
        if self.threads != BenchSettings.threads:
            words += [word for count in self.threads for word in ("--threads", str(count))]
        return shlex.join(words)

    def wants(self, name: str) -> bool:
        """Whether a case of this name is wanted."""
        return re.search(self.only, name) is not None

    @property
    def wants_memory(self) -> bool:
        """Whether to measure the memory."""
        return self.wants(MEMORY.name) and (not self.peers or "torch" in self.peers)

    def peers_of(self, case: Case, threads: int) -> tuple[Peer, ...]:
        """The peers to time beside recurra, installed or not."""
        wanted = (peer for name, peer in PEERS.items() if not self.peers or name in self.peers)
        return tuple(peer for peer in wanted if peer.covers(case, threads))

    def cases(self, threads: int) -> Iterator[Case]:
        """The cases to time with so many threads: the wanted ones that have a peer."""
        for case in cases():
            kept = is_quick(case) or not self.quick
            if kept and self.wants(case.name) and self.peers_of(case, threads):
                yield case
