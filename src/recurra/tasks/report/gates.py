"""The gates of an example, for a run's report: of what a language model writes, or of the end of a series."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

from recurra.errors import RecurraError
from recurra.page.document import PagePart
from recurra.page.parts import Section, Text
from recurra.runtime import Model, sample

if TYPE_CHECKING:
    from recurra.look.seeing.gates import LayerGates
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.tasks.series.opening import OpenedTable

TOKENS = 72  # of the text that a language model reads
ROOM = 60_000  # bytes of all heat maps
TITLE = "Gates and states of an example"


def text_gates(model: Model, seed: int, length: int) -> Section:
    """The gates of a language model's lowest layer while it reads what it has written itself.

    Args:
        model: the model.
        seed: the seed of what it writes.
        length: the tokens that it may write.
    """

    def seen() -> LayerGates:
        from recurra.tasks.looking.text import gates_on_text

        text = "".join(sample(model, length=min(length, TOKENS), temperature=0.8, seed=seed))
        return gates_on_text(model, text, "")

    return _section(seen, "The lowest layer while it reads the beginning of what it wrote at temperature 0.8.")


def series_gates(model: AnyForecaster, opened: OpenedTable) -> Section:
    """The gates of a forecaster's lowest layer while it reads the end of the first series."""

    def seen() -> LayerGates:
        from recurra.tasks.looking.series import gates_at_end

        return gates_at_end(model, opened.panel, opened.form, "")

    name = f" of {opened.panel.ids[0]}" if opened.panel.ids[0] else ""
    return _section(seen, f"The lowest layer while it reads the last {model.recipe.context} steps{name}.")


def _section(seen: Callable[[], LayerGates], sentence: str) -> Section:
    """Heat maps of the lowest layer, which leave torch's generator as it is; a sentence where there can be none."""
    if importlib.util.find_spec("torch") is None:
        return Section(TITLE, [Text(["They need torch, which is not installed here."])])
    import torch

    from recurra.look.seeing.views import gate_sections

    try:
        with torch.random.fork_rng(devices=[]):  # building a module draws its first weights
            gates = seen()
    except (RecurraError, TypeError) as error:  # such as a character that the model does not know
        return Section(TITLE, [Text([f"They cannot be shown: {error}"])])
    places = [place for place in gates.values.places if place[0] == 0]
    parts: list[PagePart] = [Text([sentence]), *gate_sections(gates, places=places, room=ROOM)]
    return Section(TITLE, parts)
