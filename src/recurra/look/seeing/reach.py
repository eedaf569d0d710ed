"""``gradient_reach``: how far back the gradient reaches, as the norm of ∂h_T/∂h_t for every step t."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.look.seeing.shades import sparks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.page.document import Document

NORMS = ("frobenius", "spectral")
SHARE = 0.01  # of the norm at the last step: below it, hardly anything of a step is learned
_WIDTH = 60

Target = Any  # a layer, a module cell, a Cell or the name of one in the zoo


@dataclass(frozen=True, eq=False, repr=False)
class Reach:
    """The norms of ∂h_T/∂s_t, where h_T is the hidden state after the last step and s_t a state after step t.

    ``reach["lstm"]`` has the norms of ∂h_T/∂h_t, float64 (steps,): its last number is that of the identity, √hidden in
    the Frobenius norm. ``reach["lstm", "c"]`` has those of ∂h_T/∂c_t, where the cell state carries the gradient on.

    Attributes:
        norms: by name and state, float64 (steps,).
        norm: ``frobenius`` or ``spectral``.
        samples: the number of random vectors behind an estimate; None where the norms are exact.
    """

    norms: Mapping[tuple[str, str], NDArray[np.float64]]
    norm: str
    samples: int | None

    def __getitem__(self, key: str | tuple[str, str]) -> NDArray[np.float64]:
        if isinstance(key, tuple):
            return self.norms[key]
        return next(norms for (name, _), norms in self.norms.items() if name == key)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers or cells."""
        return tuple(dict.fromkeys(name for name, _ in self.norms))

    def steps_back(self, name: str, state: str | None = None, share: float = SHARE) -> int:
        """The largest number of steps back at which the norm is at least a share of the largest of its states' at T.

        Args:
            name: the layer or cell.
            state: the state. Default: that which reaches furthest.
            share: the share. Default 0.01.
        """
        curves = {own: norms for (each, own), norms in self.norms.items() if each == name}
        most = max(norms[-1] for norms in curves.values())
        chosen = curves.values() if state is None else [curves[state]]
        reached = [np.flatnonzero(norms >= share * most) for norms in chosen]
        return max(
            (len(norms) - 1 - int(places[0]) for norms, places in zip(chosen, reached, strict=True) if len(places)),
            default=0,
        )

    def __str__(self) -> str:
        how = "exact" if self.samples is None else f"estimated with {self.samples} random vectors"
        steps = len(next(iter(self.norms.values())))
        lines = [f"norm of ∂h_T/∂s_t ({self.norm}, {how}), T = {steps}; logarithmic, from step 1 to T"]
        width = max(len(f"{name} {state}") for name, state in self.norms)
        logs = {key: np.log10(np.maximum(norms, 1e-12)) for key, norms in self.norms.items()}
        high = max(float(each.max()) for each in logs.values())
        low = max(high - 8, min(float(each.min()) for each in logs.values()))
        for (name, state), norms in self.norms.items():
            line = sparks(logs[name, state], low, high, _WIDTH)
            label, back = f"{name} {state}", self.steps_back(name, state)
            lines.append(
                f"  {label:<{width}} {line}  {norms[0]:.2g} at step 1, above 1 % for {back} step{'s' * (back != 1)}"
            )
        return "\n".join(lines)

    def to_html(self) -> str:
        """A page with a chart of the norms, one HTML file that refers to no other."""
        return self._page().html()

    def _repr_html_(self) -> str:
        from recurra.look.seeing.views import in_notebook

        return in_notebook(self._page())

    def _page(self) -> Document:
        from recurra.look.seeing.views import reach_section
        from recurra.page.document import Document

        return Document(f"Gradient reach of {', '.join(self.names)}", [reach_section(self)])

    def __repr__(self) -> str:
        return f"<Reach of {', '.join(self.names)}: {len(next(iter(self.norms.values())))} steps>"


def gradient_reach(
    cells: Target | Sequence[Target] | Mapping[str, Target],
    x: Any = None,
    *,
    seq_len: int = 100,
    input_size: int = 16,
    hidden_size: int = 32,
    state: Any = None,
    layer: int = -1,
    direction: int = 0,
    sequence: int = 0,
    norm: str = "frobenius",
    samples: int | None = None,
    seed: int = 0,
) -> Reach:
    """Measure how far back the gradient reaches in one layer, for several cells side by side.

    The Jacobian ∂h_T/∂s_t is the product of those of all steps between, by autograd, in float64. As in autograd it is
    that of the state with all it does, also to other states of the same step, as the ``c`` of an LSTM to its ``h``. Of
    a reverse direction T is the first step of the sequence, and t counts in the order in which it runs.

    Args:
        cells: one of these, several, or a mapping of names to them: a recurrent layer of recurra or torch.nn; a
            module cell such as ``LSTMCell``; a ``@recurra.cell``, or the name of one in ``recurra.cells``, of which
            a layer with new weights is made.
        x: the input of the layers, as each of them takes it. Default: normal random numbers of ``seq_len`` steps.
        seq_len: the number of steps where there is no ``x``. Default 100.
        input_size: the features of new layers without ``x``. Default 16.
        hidden_size: the units of new layers. Default 32.
        state: the first states, as the layer takes them. Default zeros.
        layer: the layer of a stack; negative ones count from the last. Default: the last.
        direction: 0 forward, 1 reverse. Default 0.
        sequence: the sequence of a batch. Default 0.
        norm: ``frobenius``, or ``spectral``: the most by which a change of s_t can be amplified. Default frobenius.
        samples: estimate the Frobenius norm with so many random vectors, for layers of a thousand units and more.
            Default None: exact.
        seed: the seed of new weights, random input and random vectors. Default 0.

    Raises:
        TypeError: a target is none of these.
        ValueError: an option is out of range, or the input does not fit.
        IndexError: there is no such layer, direction or sequence.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be 'frobenius' or 'spectral'; got {norm!r}")
    if samples is not None and (samples < 1 or norm != "frobenius"):
        raise ValueError(f"samples must be positive, and are for the Frobenius norm; got samples={samples}, {norm=}")
    if seq_len < 1:
        raise ValueError(f"seq_len must be positive; got {seq_len}")
    from recurra.look.seeing.jacobians import Jacobians, resolved, run_to
    from recurra.look.seeing.recording import differentiating

    width = input_size if x is None else _width_of(x)
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    with differentiating():
        for name, module in resolved(cells, width, hidden_size, seed).items():
            scan, steps, first, reset = run_to(module, x, state, seq_len, layer, direction, sequence, seed)
            jacobians = Jacobians(scan, steps, first, reset)
            for own, values in jacobians.norms(norm, samples, seed).items():
                found[name, own] = values
    return Reach(found, norm, samples)


def _width_of(x: Any) -> int:
    data = getattr(x, "data", x)
    return int(data.shape[-1])
