"""The report: a Markdown page with the machine and all figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from recurra.bench.figures import Figures, Share
from recurra.bench.markdown import digits, milliseconds, ratio, size, table
from recurra.bench.peers import PEERS
from recurra.bench.records import Kept
from recurra.bench.rows import PeerRow, geometric_mean
from recurra.bench.run import Outcome

HOW = """\
- A case is `cell T,B,I,H,L`: steps, batch, features of the input, units, layers. All numbers are float32.
- A ratio is the peer's time divided by recurra's: above 1, recurra is faster. All sides of a case take turns in one
  process, forwards in one round and backwards in the next; times are medians of rounds, in brackets stand the quartiles
  (of a ratio: of the ratios of single rounds). Calls that take less than 3 ms are timed in batches that last as long.
- With one thread the process is kept to one core, with two to two, so that no library can use more.
- Before anything is timed, both sides must compute the same outputs, last states and gradients (of every parameter and
  of the input), up to 2e-5 of the largest value of each; after it, recurra must still compute them. Else the row says
  how far they are apart: it has no times.
- *Training* is a forward pass and the backward pass of `output.sum()`, which leaves a gradient in every parameter. The
  input asks for none, as in a network's first layer. *Inference* runs in `torch.inference_mode()`.
- `stream` is one step of a layer with its states handed in and out; `step` is one call of a cell.
- onnxruntime and OpenVINO run an ONNX node per layer, with inputs bound beforehand. They hold their weights, and may
  pack them when they load them: beside them recurra's layer is in a `recurra.frozen` block, and holds its own.
- JAX runs `lax.scan` under `jit`, and loops in torch run their gates in as few operations as the equations allow, both
  with the input's products ahead of the loop."""

FLOOR = """\
The floor is the least time that the matrix products can take: at the measured peak of matrix products or, where reading
the recurrent weights in every step takes longer, at the measured bandwidth of the smallest cache that they fit in (of
all threads together). Elementwise work, calls and copies count as nothing, so that no program reaches 1. Training
counts the products of the backward pass too: the gradients of the input's and the recurrent weights, of the states, and
of the input of each layer that has one below."""

MEMORY = """\
What a forward pass in training keeps until the backward pass, on one thread, each side in a fresh process. *Process* is
the growth of the resident memory while the output is held, less the output itself; *saved* is what autograd's hooks
(`torch.autograd.graph.saved_tensors_hooks`) see saved, parameters and input left out, the output counted where it is
saved. What a library keeps by other means shows in the first figure alone, what it reserves and never writes (as torch
does for an LSTM) in the second alone."""


class Report:
    """The page of a run. A subclass may append columns to the tables of ratios and shares, and a section at the end.

    Attributes:
        outcome: the results of the run.
        figures: the figures that follow from them.
        notes: lines that follow those on how to read the page.
        glance_titles: titles of the columns that :meth:`glance_columns` fills.
        titles: titles of the columns that :meth:`row_columns` and :meth:`share_columns` fill.
    """

    notes: str = ""
    glance_titles: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.figures = Figures(outcome.lines)

    def page(self) -> str:
        """The whole page."""
        sections = [
            _head(self.outcome, self.figures),
            f"## How to read this\n\n{HOW}{self.notes}",
            self._glance(),
            *self._peers(),
            self._floor(),
            _memory(self.outcome),
            self.closing(),
        ]
        return "\n\n".join(section for section in sections if section) + "\n"

    def glance_columns(self, rows: Sequence[PeerRow]) -> tuple[str, ...]:
        """Further columns for a group of rows, under ``glance_titles``."""
        return ()

    def row_columns(self, row: PeerRow) -> tuple[str, ...]:
        """Further columns for a row, under ``titles``."""
        return ()

    def share_columns(self, share: Share) -> tuple[str, ...]:
        """Further columns for a share of the floor, under ``titles``."""
        return ()

    def closing(self) -> str:
        """The last section; empty for none."""
        return ""

    def _glance(self) -> str:
        """The least ratio and the mean for each peer, cell, mode and number of threads."""
        rows = []
        for (peer, cell, mode, threads), group in self.figures.by_group().items():
            ratios = [row.ratio.middle for row in group if row.ratio]
            rows.append(
                (
                    PEERS[peer].title, cell, mode, str(threads), str(len(group)),
                    f"{min(ratios):.2f}" if ratios else "–", f"{geometric_mean(ratios):.2f}" if ratios else "–",
                    *self.glance_columns(group),
                )
            )  # fmt: skip
        titles = ("recurra against", "cell", "mode", "threads", "rows", "least ratio", "geometric mean")
        return section("At a glance", table((*titles, *self.glance_titles), rows))

    def _peers(self) -> Iterator[str]:
        """A table for each peer."""
        for peer in PEERS.values():
            rows = [row for row in self.figures.rows if row.peer == peer.name]
            titles = ("cell", "T,B,I,H,L", "mode", "threads", "recurra, ms", f"{peer.name}, ms", "ratio", *self.titles)
            parts = [
                f"### {group}\n\n{table(titles, map(self._row, found))}"
                for group, found in groupby(rows, key=lambda row: row.case.group)
            ]
            yield section(f"Against {peer.title}", "\n\n".join(parts))

    def _row(self, row: PeerRow) -> tuple[str, ...]:
        case = row.case
        return (
            case.cell, str(case.shape), case.mode, str(row.threads), milliseconds(row.ours), milliseconds(row.theirs),
            row.failure or ratio(row.ratio), *self.row_columns(row),
        )  # fmt: skip

    def _floor(self) -> str:
        titles = ("cell", "T,B,I,H,L", "mode", "threads", "recurra, ms", "floor, ms", "share", *self.titles)
        text = table(titles, map(self._share, self.figures.shares))
        return section("Share of the floor", text and f"{FLOOR}\n\n{text}")

    def _share(self, share: Share) -> tuple[str, ...]:
        case = share.own.case
        return (
            case.cell, str(case.shape), case.mode, str(share.own.threads), milliseconds(share.own.time),
            digits(1e3 * share.floor), "failed" if share.value is None else f"{share.value:.2f}",
            *self.share_columns(share),
        )  # fmt: skip


def section(title: str, text: str) -> str:
    """A section of a page; empty if it has no text."""
    return text and f"## {title}\n\n{text}"


def _head(outcome: Outcome, figures: Figures) -> str:
    machine, minutes = outcome.machine, f"{outcome.seconds / 60:.1f}"
    load = "" if outcome.load is None else f"; load of the machine before: {outcome.load:.2f}"
    caches = ", ".join(f"{each.name} {size(each.size)}{' shared' * each.shared}" for each in machine.caches)
    rows = [
        ("command", f"`{outcome.settings.command}`"),
        ("date", f"{outcome.date}, {minutes} minutes{load}"),
        ("processor", f"{machine.processor}, {machine.cores} cores to use"),
        ("caches", caches),
        ("memory", size(machine.memory)),
        ("system", f"{machine.system}, Python {machine.python}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in machine.versions.items())),
        ("recurra's engine", ", ".join(figures.engines) or "–"),
    ]
    rows += [(f"not installed: {name}", f"{', '.join(names)} missing; its rows are left out")
             for name, names in outcome.missing.items()]  # fmt: skip
    rows += [(f"{count} threads", "left out: there are not so many cores") for count in outcome.left_out]
    return f"# Benchmark results\n\n{table(('', ''), rows)}\n\n{_limits(outcome, figures)}"


def _limits(outcome: Outcome, figures: Figures) -> str:
    """The measured peak and bandwidths, and the processor's peak in theory."""
    rows = []
    for threads, roof in figures.roofs.items():
        reading = [f"{each.bandwidth / 1e9:.0f}" for each in roof.levels]
        rows.append((str(threads), f"{roof.peak / 1e9:.1f}", f"{figures.least_peak[threads] / 1e9:.1f}", *reading))
    names = [f"{each.name}, GB/s" for each in next(iter(figures.roofs.values())).levels] if rows else []
    text = table(("threads", "matrix products, GFLOP/s", "at the worst moment", *names), rows)
    machine = outcome.machine
    if machine.per_cycle and machine.clock and rows:
        theory = machine.per_cycle * machine.clock / 1e3
        text += (
            f"\n\nIn theory a core of this processor does {machine.per_cycle} operations per cycle: {theory:.0f} "
            f"GFLOP/s at the {machine.clock / 1e3:.2f} GHz that the system reports, and more where it runs faster."
        )
    return text


def _memory(outcome: Outcome) -> str:
    rows = [
        (line.side, size(line.output), size(max(0, line.resident - line.output)), size(line.saved))
        for line in outcome.lines
        if isinstance(line, Kept)
    ]
    text = table(("LSTM 784,64,1,128,1", "output", "process", "saved"), rows)
    return section("Memory", text and f"{MEMORY}\n\n{text}")
