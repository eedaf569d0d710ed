"""A forecaster seen while it reads a series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RunError, one_line
from recurra.look.seeing.gates import joined
from recurra.look.seeing.properties import Property
from recurra.look.seeing.series_properties import series_properties
from recurra.runtime.forecasting import AutoregressiveModel
from recurra.runtime.forecasting.checks import check_panel
from recurra.series.autoregressive.windows import StepReader, inputs_of
from recurra.series.results import fields_of, times_column
from recurra.series.seasons import find_periods
from recurra.series.table import listed
from recurra.series.windows import SeriesReader
from recurra.series.zones import local_of
from recurra.tasks.looking.seen import SeenModel, gates_of_layers, layers_of, ranked_by, reach_of
from recurra.tasks.series.loading import form_of, load_forecast_model
from recurra.tasks.series.opening import open_to_forecast

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from recurra.look.seeing.gates import LayerGates
    from recurra.look.seeing.recording import RecordedLayer
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.panel import Panel
    from recurra.series.panels import Note
    from recurra.series.table import Table
    from recurra.series.table_format import TableFormat

MOST_STEPS = 2_000  # that are read, in windows of the forecaster's context


def look_at_series(
    path: Path, table: Table, note: Note, series: str | None = None, wanted: str | None = None
) -> SeenModel:
    """Look into a forecaster while it reads a series, window by window up to its end.

    Heat maps and gradients are of the last window; units are ranked over all of them. Each window begins without
    memory, as in a forecast. Of an ensemble the first member's encoder is seen.

    Args:
        path: a run folder of the series task, or an exported file.
        table: the table with the series.
        note: called with each thing that the user should know about the table.
        series: the name of the series. Default: the first one.
        wanted: the only property that units are ranked by. Default: all.

    Raises:
        RunError: there is no forecaster, the table does not follow its training data, or there is no such series or
            property.
    """
    model = load_forecast_model(path)
    opened = open_to_forecast(table, form_of(model, path), 0, note)
    panel = _chosen(opened.panel, series)
    check_panel(panel, model.recipe, 0)
    windows = _ReadWindows(model, panel)
    positions = [panel.starts[0] + origin + np.arange(-model.recipe.context, 0) for origin in windows.origins]
    kept = [steps >= panel.starts[0] for steps in positions]

    def labels(steps: NDArray[np.int64]) -> list[str]:
        return fields_of(times_column(opened.form, steps))

    title, name = str(path), panel.ids[0] or "the series"
    parts = [windows.record(number, is_last=False)[0] for number in range(len(windows.origins))]
    whole = joined([gates_of_layers(each, labels(steps), title) for each, steps in zip(parts, positions, strict=True)])
    recorded, loss = windows.record(len(windows.origins) - 1, is_last=True)
    gates = gates_of_layers(recorded, labels(positions[-1]), title, loss)
    rows = np.concatenate(kept)
    whole = whole.at(rows)
    gates = gates.at(kept[-1])
    steps = np.concatenate(positions)[rows]
    return SeenModel(
        title=f"{path} on {name}, {len(steps):,} steps up to {whole.labels[-1]}",
        kind="series",
        gates=gates,
        whole=whole,
        ranked=ranked_by(whole, _properties(panel, steps), wanted),
        reach=reach_of(windows.layers, recorded),
        loss=windows.loss,
        notes=windows.notes,
        values=panel.target[0][steps - panel.starts[0]],
    )


def gates_at_end(model: AnyForecaster, panel: Panel, form: TableFormat, title: str) -> LayerGates:
    """The gates of a forecaster while it reads the last window of a series, without gradients.

    Args:
        model: the forecaster.
        panel: the series; the first is read.
        form: the meaning of the table's columns, for the times.
        title: the name of the model.

    Raises:
        RunError: the panel does not follow the training data, or the model has no recurrent layers.
    """
    first = _chosen(panel, None)
    check_panel(first, model.recipe, 0)
    windows = _ReadWindows(model, first)
    recorded, _ = windows.record(len(windows.origins) - 1, is_last=False)
    steps = first.starts[0] + windows.origins[-1] + np.arange(-model.recipe.context, 0)
    labels = fields_of(times_column(form, steps))
    return gates_of_layers(recorded, labels, title).at(steps >= first.starts[0])


class _ReadWindows:
    """The windows of a series up to its end, and the layers that read them.

    Attributes:
        origins: the steps of the series before the end of each window, ascending.
        layers: the layers.
        loss: what gradients are of, in words.
        notes: what the reader must know.
    """

    def __init__(self, model: AnyForecaster, panel: Panel) -> None:
        from recurra.nn.parts import build

        length, context = len(panel.target[0]), model.recipe.context
        count = max(1, min(length // context, MOST_STEPS // context))
        self.origins = [length - context * back for back in reversed(range(count))]
        rows, origins = np.zeros(count, np.int64), np.array(self.origins, np.int64)
        self.notes: tuple[str, ...] = (
            f"the series is read in {count} window{'s' if count > 1 else ''} of {context} steps, as in a forecast",
        )
        module: Any = build(model.description).float()
        if isinstance(model, AutoregressiveModel):
            reader = StepReader(panel, model.recipe)
            windows = reader.windows(rows, origins, 0)
            self._past, self._future, self._median = inputs_of(model.recipe, windows, windows.values), None, 0
            self._module = self._read = module
            self.loss = "the first number of the last step's output: where the next value's distribution lies"
        else:
            direct = SeriesReader(panel, model.recipe)
            encoded = direct.encode(direct.windows(rows, origins))
            self._past, self._future, self._median = encoded.past, encoded.future, model.recipe.median
            self._module = module[0]
            self._read = self._module.encoder
            self.loss = f"the median forecast, summed over {model.recipe.horizon} steps and before it is scaled"
            members = f" of the first of {model.recipe.members} networks" if model.recipe.members > 1 else ""
            self.notes += (f"the layers are the encoder's{members}; the decoder goes on from their last states",)
        self._named = layers_of(self._read)

    @property
    def layers(self) -> list[nn.Module]:
        """The layers, from the lowest one."""
        return list(self._named.values())

    def record(self, number: int, *, is_last: bool) -> tuple[list[RecordedLayer], Tensor | None]:
        """What the layers compute in a window; in the last one with the number whose gradients are wanted."""
        import torch

        from recurra.look.seeing.recording import recording

        past = torch.from_numpy(self._past[:, number : number + 1].copy())
        with recording(self._named, is_differentiable=is_last) as found:
            if self._future is None or not is_last:
                result = self._read(past)
                output = result[0] if isinstance(result, tuple) else result
            else:
                output = self._module(past, torch.from_numpy(self._future[:, number : number + 1].copy()))
        loss = output[-1, 0, 0] if self._future is None else output[:, 0, self._median].sum() if is_last else None
        return [found[name] for name in self._named], loss if is_last else None


def _chosen(panel: Panel, series: str | None) -> Panel:
    """A panel of one series.

    Raises:
        RunError: there is no series of that name.
    """
    if series is None:
        return panel.take(np.array([0]))
    if not any(panel.ids):
        raise RunError("--id: the table has one series, which has no name: leave it out")
    if series not in panel.ids:
        raise RunError(f"--id {one_line(series, 60)}: there is no such series; there are {listed(list(panel.ids), 3)}")
    return panel.take(np.array([panel.ids.index(series)]))


def _properties(panel: Panel, positions: NDArray[np.int64]) -> list[Property]:
    """The properties of a series at some positions."""
    frequency, values = panel.frequency, panel.target[0]
    everywhere = panel.starts[0] + np.arange(len(values))
    times = None
    if not frequency.is_step:
        utc = frequency.times(everywhere).astype(np.int64)
        times = local_of(utc, frequency.zone).view("datetime64[us]")
    periods = [period for period in find_periods(panel.target, frequency.periods) if period > 1]
    found = series_properties(values, times, periods, int(panel.starts[0]))
    return [Property(each.name, each.kind, each.values[positions - panel.starts[0]], each.meaning) for each in found]
