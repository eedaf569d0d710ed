"""``units``: the units of a layer, ranked by how well they follow properties of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.look.seeing.gates import DIRECTIONS, LayerGates
from recurra.look.seeing.properties import YES_NO, Property, properties_of
from recurra.look.seeing.scores import scores_of
from recurra.look.seeing.text_properties import text_properties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.page.document import Document

LEAST_STEPS = 20


@dataclass(frozen=True)
class UnitScore:
    """How well one unit follows one property.

    Attributes:
        name: the variable, such as ``c``; empty where an array was given.
        layer: its layer.
        direction: its direction, 0 forward and 1 reverse.
        unit: its number.
        score: from -1 to 1; see ``CAUTION`` in ``recurra.look.seeing.scores``.
        held_out: the score where it was held out; NaN where one side lacks the property.
        follows: whether it exceeds chance, and keeps half of its score where it was held out.
    """

    name: str
    layer: int
    direction: int
    unit: int
    score: float
    held_out: float
    follows: bool

    @property
    def place(self) -> str:
        """Where the unit is, such as ``c[3], layer 0``; with the direction where it is reverse."""
        direction = f", {DIRECTIONS[1]}" if self.direction else ""
        return f"{self.name or 'unit '}[{self.unit}], layer {self.layer}{direction}"

    @property
    def auc(self) -> float:
        """The area under the curve of a yes/no property, from 0 to 1."""
        return (self.score + 1) / 2


@dataclass(frozen=True, eq=False)
class Ranking:
    """All units, those that follow a property first, each time from the highest score.

    Attributes:
        what: the property.
        chance: the score that the best unit exceeds by chance in one of twenty cases.
        units: the units.
    """

    what: Property
    chance: float
    units: tuple[UnitScore, ...]

    @property
    def best(self) -> UnitScore:
        """The unit that follows the property best."""
        return self.units[0]

    @property
    def score_name(self) -> str:
        """What the score is: ``2·AUC − 1``, ``correlation`` or ``multiple correlation``."""
        names = {YES_NO: "2·AUC − 1", "number": "correlation"}
        return names.get(self.what.kind, "multiple correlation")

    def row(self, unit: UnitScore) -> tuple[str, ...]:
        """A unit as texts: property, unit, score, held out, by chance, whether it follows."""
        held_out = "–" if np.isnan(unit.held_out) else f"{unit.held_out:.2f}"
        verdict = "follows" if unit.follows else "not told from chance"
        return self.what.name, unit.place, f"{unit.score:+.2f}", held_out, f"±{self.chance:.2f}", verdict


@dataclass(frozen=True, eq=False, repr=False)
class Units(Mapping[str, Ranking]):
    """The rankings by the names of properties: ``units["quotes"].best``; ``str()`` and notebooks show a table.

    Attributes:
        rankings: a ranking for each property.
        left_out: the properties that nothing can be said of here, with the reason.
        steps: the number of steps.
    """

    rankings: Mapping[str, Ranking]
    left_out: Mapping[str, str]
    steps: int

    def __getitem__(self, name: str) -> Ranking:
        if name in self.rankings:
            return self.rankings[name]
        reason = self.left_out.get(name)
        known = ", ".join(self.rankings) or "none"
        raise KeyError(f"no ranking for {name!r}: {reason or 'no such property'}; there are: {known}")

    def __iter__(self) -> Any:
        return iter(self.rankings)

    def __len__(self) -> int:
        return len(self.rankings)

    @property
    def following(self) -> tuple[tuple[Ranking, UnitScore], ...]:
        """The best unit of each property that some unit follows, from the highest score."""
        found = [(ranking, ranking.best) for ranking in self.rankings.values() if ranking.best.follows]
        return tuple(sorted(found, key=lambda pair: -abs(pair[1].score)))

    def __str__(self) -> str:
        head = ("property", "best unit", "score", "held out", "by chance", "")
        rows = [head, *(ranking.row(unit) for ranking in self.rankings.values() for unit in ranking.units[:1])]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        lines += [f"{name}: {reason}" for name, reason in self.left_out.items()]
        said = "a score below 'by chance' says nothing; one held out is negative where the direction turned round"
        return "\n".join([*lines, f"over {self.steps} steps; {said}"])

    def to_html(self) -> str:
        """A page of the rankings, one HTML file that refers to no other."""
        return self._page().html()

    def _repr_html_(self) -> str:
        from recurra.look.seeing.views import in_notebook

        return in_notebook(self._page())

    def _page(self) -> Document:
        from recurra.look.seeing.views import ranking_section
        from recurra.page.document import Document

        return Document("Units and properties", [ranking_section(self)])

    def __repr__(self) -> str:
        return f"<Units by {', '.join(self.rankings) or 'no property'}>"


def units(
    values: LayerGates | NDArray[np.floating] | Sequence[LayerGates],
    properties: Mapping[str, Any] | Sequence[Property] | None = None,
    *,
    variable: str | None = None,
    seed: int = 0,
) -> Units:
    """Rank units by how well they follow properties, with what chance alone would give.

    Args:
        values: the gates of a layer, or of several over the same steps; or an array (steps, units).
        properties: by name a value for each step: bools, numbers or texts (categories); or the result of
            ``text_properties`` or ``series_properties``. Default: those of the text that the gates' labels are.
        variable: the variable of the gates to rank. Default: the state that carries most, ``c`` or ``h``.
        seed: the seed of the surrogates that say what chance gives. Default 0.

    Returns:
        A ranking for each property; ``CAUTION`` in ``recurra.look.seeing.scores`` says what the scores are.

    Raises:
        TypeError: a property is of another kind.
        ValueError: there are fewer than 20 steps, or not a value for each.
        KeyError: there is no such variable.
    """
    several = [values] if isinstance(values, LayerGates) else values
    if isinstance(several, np.ndarray):
        places, columns = [("", 0, 0)], [several]
        if properties is None or several.ndim != 2:
            raise ValueError("an array must be (steps, units), and needs properties")
    else:
        if properties is None:
            properties = text_properties(several[0].labels)
        places, columns = _columns(several, variable)
    steps = len(columns[0])
    if steps < LEAST_STEPS:
        raise ValueError(f"{steps} steps are too few to tell a property from chance: give {LEAST_STEPS} or more")
    where = [(*place, unit) for place, each in zip(places, columns, strict=True) for unit in range(each.shape[1])]
    array = np.concatenate(columns, 1)
    rankings, left_out = {}, {}
    for each in properties_of(properties, steps):
        if each.problem is None:
            rankings[each.name] = _ranking(array, where, each, seed)
        else:
            left_out[each.name] = each.problem
    return Units(rankings, left_out, steps)


def _columns(several: Sequence[LayerGates], variable: str | None) -> tuple[list[tuple[str, int, int]], list[Any]]:
    """The arrays of a variable in all layers and directions; the layers of several gates are counted on."""
    places, columns, before = [], [], 0
    for gates in several:
        for layer, direction in gates.values.places:
            name = variable or gates.memory(layer)
            places.append((name, before + layer, direction))
            columns.append(gates.values[name, layer, direction])
        before += 1 + max(layer for layer, _ in gates.values.places)
    return places, columns


def _ranking(array: Any, where: Sequence[tuple[str, int, int, int]], what: Property, seed: int) -> Ranking:
    found = scores_of(array, what, seed)
    order = np.lexsort((-np.abs(found.scores), ~found.follows)).tolist()
    ranked = []
    for number in order:
        name, layer, direction, unit = where[number]
        score, held_out = float(found.scores[number]), float(found.held_out[number])
        ranked.append(UnitScore(name, layer, direction, unit, score, held_out, bool(found.follows[number])))
    return Ranking(what, found.chance, tuple(ranked))
