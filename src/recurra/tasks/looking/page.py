"""What was seen of a model as a page, as lines for a terminal, and as facts for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import RunError
from recurra.look.seeing.painting import PaintedText
from recurra.look.seeing.ranking import Ranking, UnitScore
from recurra.look.seeing.views import gate_sections, ranking_section, reach_section, saturation_section
from recurra.page.document import Document, PagePart
from recurra.page.line_chart import Line, LineChart
from recurra.page.parts import Section, Text
from recurra.tasks.looking.seen import SeenModel

PAINTED = 3  # units of a page
PAINTED_TOKENS = 500  # of each
DRAWN_STEPS = 150  # of a series beside a unit


@dataclass(frozen=True)
class ViewChoice:
    """What the user wants to see.

    Attributes:
        layer: the layer whose gates are shown. Default None: that of the unit that is shown first.
        unit: the unit that is shown on the text or the series. Default None: the best of some properties.
        gates: the variables of the heat maps. Default none: all gates and states.
    """

    layer: int | None = None
    unit: int | None = None
    gates: tuple[str, ...] = ()

    def check(self, seen: SeenModel) -> None:
        """Refuse what the model does not have.

        Raises:
            RunError: there is no such layer, unit or variable.
        """
        if self.layer is not None and not 0 <= self.layer < seen.layers:
            raise RunError(f"--layer must be from 0 to {seen.layers - 1}; got {self.layer}")
        layer = _layer(self, seen)
        width = seen.gates[seen.gates.memory(layer), layer, 0].shape[1]
        if self.unit is not None and not 0 <= self.unit < width:
            raise RunError(f"--unit must be from 0 to {width - 1} in layer {layer}; got {self.unit}")
        unknown = [name for name in self.gates if (name, layer, 0) not in seen.gates.values]
        if unknown:
            names = ", ".join(name for name, each, _ in seen.gates.values if each == layer)
            raise RunError(f"--gates: layer {layer} has no {unknown[0]!r}; it has {names}")


def page_of(seen: SeenModel, choice: ViewChoice) -> Document:
    """The page of a model.

    Args:
        seen: what was seen.
        choice: what the user wants to see; checked.
    """
    layer = _layer(choice, seen)
    units = _units(choice, seen)
    parts: list[PagePart] = []
    if seen.ranked is not None:
        parts.append(ranking_section(seen.ranked))
    shown = [_shown(seen, unit, title) for unit, title in units]
    what = "on the text" if seen.kind == "text" else "beside the series"
    parts.append(Section(f"Units {what}", shown))
    places = [place for place in seen.gates.values.places if place[0] == layer]
    also = [unit.unit for unit, _ in units if unit.layer == layer]
    maps = gate_sections(seen.gates, choice.gates or None, places, also)
    gradients = Text([f"Gradients are of {seen.loss}."])
    parts += [Section("Gates, states and gradients over time", [gradients, *maps])]
    parts += [saturation_section(seen.whole), reach_section(seen.reach)]
    return Document(f"Inside {seen.title}", parts, [f"{note[:1].upper()}{note[1:]}." for note in seen.notes])


def lines_of(seen: SeenModel) -> list[str]:
    """The summary for a terminal: the best units, saturated and dead ones, and how far the gradient reaches."""
    lines = [seen.title]
    lines += str(seen.ranked).splitlines() if seen.ranked is not None else ["too few steps to rank units"]
    for each in seen.whole.saturation:
        dead = f"{each.dead.sum()} of {len(each.dead)} units dead"
        if each.can_saturate:
            shares = f"{each.low.mean():.0%} of steps low, {each.high.mean():.0%} high"
            lines.append(f"{each.name}, layer {each.layer}: {shares}, {each.saturated.sum()} units saturated, {dead}")
        elif each.name in seen.whole.states:
            lines.append(f"{each.name}, layer {each.layer}: {dead}")
    for name in seen.reach.names:
        back, first = seen.reach.steps_back(name), len(seen.reach[name]) - 1
        lines.append(f"{name}: the gradient is above 1 % of that at the end up to {back} of {first} steps back")
    return lines


def facts_of(seen: SeenModel) -> dict[str, Any]:
    """The summary for programs."""
    ranked = {} if seen.ranked is None else seen.ranked.rankings
    return {
        "title": seen.title,
        "kind": seen.kind,
        "steps": seen.whole.steps,
        "layers": seen.layers,
        "units": {name: _ranking_facts(ranking) for name, ranking in ranked.items()},
        "left_out": {} if seen.ranked is None else dict(seen.ranked.left_out),
        "saturation": [
            {
                "name": each.name,
                "layer": each.layer,
                "low": float(each.low.mean()) if each.can_saturate else None,
                "high": float(each.high.mean()) if each.can_saturate else None,
                "saturated": int(each.saturated.sum()) if each.can_saturate else None,
                "dead": int(each.dead.sum()),
                "units": len(each.dead),
            }
            for each in seen.whole.saturation
        ],
        "reach": {
            "norm": seen.reach.norm,
            "samples": seen.reach.samples,
            "steps_back": {name: seen.reach.steps_back(name) for name in seen.reach.names},
            "norms": {f"{name}, {state}": norms.tolist() for (name, state), norms in seen.reach.norms.items()},
        },
        "notes": list(seen.notes),
    }


def _ranking_facts(ranking: Ranking, count: int = 5) -> dict[str, Any]:
    return {
        "meaning": ranking.what.meaning,
        "score": ranking.score_name,
        "chance": ranking.chance,
        "best": [
            {
                "name": unit.name,
                "layer": unit.layer,
                "unit": unit.unit,
                "score": unit.score,
                "held_out": None if math.isnan(unit.held_out) else unit.held_out,
                "follows": unit.follows,
            }
            for unit in ranking.units[:count]
        ],
    }


def _layer(choice: ViewChoice, seen: SeenModel) -> int:
    """The layer whose gates are shown."""
    if choice.layer is not None:
        return choice.layer
    rankings = [] if seen.ranked is None else list(seen.ranked.rankings.values())
    following = [ranking.best.layer for ranking in rankings if ranking.best.follows]
    return following[0] if following and choice.unit is None else seen.layers - 1


def _units(choice: ViewChoice, seen: SeenModel) -> list[tuple[UnitScore, str]]:
    """The units that are shown on the text or the series, with what they follow: the wanted one, or the best ones."""
    layer = _layer(choice, seen)
    if choice.unit is not None:
        return [(UnitScore(seen.whole.memory(layer), layer, 0, choice.unit, 0.0, math.nan, False), "")]
    rankings = [] if seen.ranked is None else list(seen.ranked.rankings.values())
    pairs = [(ranking, unit) for ranking in rankings for unit in ranking.units[:1]]
    pairs = [pair for pair in pairs if choice.layer in (None, pair[1].layer)]
    pairs = [pair for pair in pairs if pair[1].follows] or sorted(pairs, key=lambda pair: -abs(pair[1].score))[:1]
    found: dict[tuple[int, int], tuple[UnitScore, list[str]]] = {}
    for ranking, unit in pairs:
        score = f"{ranking.what.meaning} ({ranking.score_name} {unit.score:+.2f}, by chance ±{ranking.chance:.2f})"
        found.setdefault((unit.layer, unit.unit), (unit, []))[1].append(score)
    if not found:
        return _units(ViewChoice(layer, 0), seen)
    return [(unit, "; ".join(scores)) for unit, scores in list(found.values())[:PAINTED]]


def _shown(seen: SeenModel, unit: UnitScore, follows: str) -> PagePart:
    """A unit painted on the text, or as a line beside the series."""
    values = seen.whole[unit.name, unit.layer, unit.direction][:, unit.unit]
    title = unit.place + (f": {follows}" if follows else "")
    if seen.kind == "text":
        return PaintedText(title, seen.whole.labels[:PAINTED_TOKENS], values[:PAINTED_TOKENS], float(np.median(values)))
    values, observed = values[-DRAWN_STEPS:], np.asarray(seen.values, np.float64)[-DRAWN_STEPS:]
    steps = np.arange(1 - len(values), 1)
    lines = [Line(unit.place, steps, _standard(values)), Line("the series", steps, _standard(observed), "dashed")]
    return LineChart(title, lines, f"steps before {seen.whole.labels[-1]}", "in standard deviations from the mean")


def _standard(values: np.ndarray) -> np.ndarray:
    """Values with mean 0 and standard deviation 1."""
    seen = values[np.isfinite(values)]
    spread = float(seen.std()) if len(seen) else 0.0
    return np.asarray((values - seen.mean()) / (spread or 1.0)) if len(seen) else values
