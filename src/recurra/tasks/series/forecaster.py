"""``Forecaster``: forecasts of tables of time series from Python, with the command line's training and files."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RunError
from recurra.series.columns import NamedColumns
from recurra.series.forecast import SAMPLES
from recurra.tasks import checks
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.table_settings import TableSettings

if TYPE_CHECKING:  # what a method needs is imported in it: a program that only names Forecaster starts at once
    from recurra.runtime.forecasting import AnyForecaster
    from recurra.series.table_format import TableFormat
    from recurra.tasks.series.backtesting import BacktestReport
    from recurra.tasks.series.models import AnySettings
    from recurra.tasks.series.opening import OpenedTable
    from recurra.tasks.training.events import Callback

_logger = logging.getLogger("recurra")
ColumnNames = str | Sequence[str]


class Forecaster:
    """A forecaster of tables of time series: ``Forecaster().fit(frame).predict()``.

    A table is a frame of pandas, polars or another library that narwhals knows, a mapping of names to arrays, or the
    path of a CSV or Parquet file. Results are of the kind of the frame that was given; of a path's table a mapping.
    What is not said is found out: the columns by names such as ``unique_id``, ``ds`` and ``y`` or by what is in them,
    the frequency by the times.

    Args:
        horizon: the steps to forecast. Default: one season.
        freq: the frequency of the steps, such as ``"MS"``, ``"D"`` or ``"15min"``. Default: found.
        time: the column of times. Default: found.
        target: the column to forecast; of several, each is a series. Default: found.
        id: the column that tells series apart, or several together. Default: found.
        known: the inputs that are known ahead of time. Default: none.
        past: the inputs that are known up to the present. Default: none.
        static: the categories of a series. Default: none.
        zone: the time zone of times without one, such as ``"Europe/Berlin"``. Default: the table's own.
        on_gap: ``"fill"`` leaves what is missing missing, and learns around it; ``"error"`` refuses it.
        model: ``"direct"`` gives the quantiles of all steps at once; ``"autoregressive"`` learns the distribution of
            each next value, and draws sample paths too (:meth:`paths`).
        likelihood: the distribution of the autoregressive model: ``"student-t"``, ``"normal"``,
            ``"negative-binomial"`` or ``"poisson"``. Default: negative binomial for small counts, else Student's t.
        cell: the name of a cell of the zoo. Default: the model's.
        hidden: the units of each network. Default: the model's.
        members: the networks of the direct model; each leaves out a block of time. Default: 5.
        steps: the updates of the direct model's training. Default: a number that follows from the data.
        seed: the seed of all random numbers; the same one gives the same forecast to the bit.
        minutes: training stops after so long, if it has not ended yet. Default: no limit.

    Raises:
        RunError: a setting is out of range.

    Attributes:
        settings: what was said about the table.
    """

    def __init__(
        self,
        horizon: int | None = None,
        *,
        freq: str | None = None,
        time: str | None = None,
        target: ColumnNames = (),
        id: ColumnNames = (),
        known: ColumnNames = (),
        past: ColumnNames = (),
        static: ColumnNames = (),
        zone: str | None = None,
        on_gap: str = TableSettings.on_gap,
        model: str = SeriesSettings.model,
        likelihood: str | None = None,
        cell: str | None = None,
        hidden: int | None = None,
        members: int | None = None,
        steps: int | None = None,
        seed: int = SeriesSettings.seed,
        minutes: float | None = None,
    ) -> None:
        columns = NamedColumns(time, *map(_names, (target, id, known, past, static)))
        self.settings = TableSettings(columns, freq, zone=zone, on_gap=on_gap)
        self.settings.check()
        self._horizon = horizon = int(horizon) if isinstance(horizon, np.integer) else horizon
        self._options: dict[str, Any] = {"model": model, "likelihood": likelihood, "cell": cell, "hidden": hidden}
        self._options |= {"members": members, "steps": steps, "seed": seed, "minutes": minutes}
        self._settings(1 if horizon is None else horizon)
        self._model: AnyForecaster | None = None
        self._opened: OpenedTable | None = None  # the table that it was trained on
        self._like: Any = None  # a frame of the kind of the results

    def _settings(self, horizon: int) -> AnySettings:
        from recurra.tasks.series.models import make_settings

        return make_settings(horizon, **self._options)

    def fit(
        self, frame: Any, *, out: str | os.PathLike[str] | None = None, callbacks: Sequence[Callback] = ()
    ) -> Forecaster:
        """Train on a table.

        Args:
            frame: the table.
            out: the folder of the run, which must not exist. Default: none is kept.
            callbacks: followers of the training, ``recurra.tasks.Callback``.

        Returns:
            This forecaster.

        Raises:
            RunError: the table has a fault, and the message has its place and the remedy; or no series is long enough.
        """
        from recurra.tasks.series.opening import open_table, table_from
        from recurra.tasks.series.runs import train_alone, train_table
        from recurra.tasks.sources import plain_source

        opened = open_table(table_from(frame), self.settings, _logger.warning)
        settings = self._settings(opened.usual_horizon if self._horizon is None else self._horizon)
        opened.note_short(settings.horizon, _logger.warning)
        if out is None:
            self._model = train_alone(opened, settings, callbacks=callbacks)
        else:
            source = plain_source(Path(frame)) if isinstance(frame, (str, os.PathLike)) else None
            train_table(opened, settings, self.settings, Path(out), source=source, callbacks=callbacks)
            from recurra.tasks.series.loading import load_forecast_model

            self._model = load_forecast_model(Path(out))
        self._opened, self._like = opened, _kind_of(frame)
        return self

    @property
    def runtime(self) -> AnyForecaster:
        """The trained model, as ``recurra.runtime`` runs it.

        Raises:
            RunError: it is not trained yet.
        """
        if self._model is None:
            raise RunError("the forecaster is not trained yet: call fit, or Forecaster.load")
        return self._model

    @property
    def horizon(self) -> int:
        """The steps that the trained forecaster forecasts."""
        return self.runtime.recipe.horizon

    @property
    def verdict(self) -> str:
        """What left-out data say: how much better than the best naive forecast it is, and of its intervals."""
        from recurra.tasks.series.verdict import training_sentences

        return "\n".join(training_sentences(self.runtime.recipe))

    def predict(self, frame: Any = None, future: Any = None, level: float | Sequence[float] | None = None) -> Any:
        """Forecast the steps after each series' end.

        Args:
            frame: the table of the series' histories. Default: the one that the forecaster was trained on.
            future: a table of the known inputs in the steps to forecast. Default: they are in `frame`, in rows whose
                target is empty.
            level: the interval to give, or several, in per cent, such as ``[80, 90]``. Default: all quantiles.

        Returns:
            A row for each series and step: ids and times as in the table, ``forecast`` (the median), and a column for
            each quantile, such as ``q05`` and ``q95``.

        Raises:
            RunError: the table does not follow the training data, known inputs do not reach far enough, or there is no
                such interval.
        """
        from recurra.series.results import forecast_table
        from recurra.tasks.series.levels import of_intervals

        opened = self._to_forecast(frame, future)
        intervals = [level] if isinstance(level, (int, float)) else level
        forecast = of_intervals(self.runtime.forecast(opened.panel), intervals)
        return self._framed(forecast_table(forecast, opened.form), frame)

    def template(self, frame: Any = None) -> Any:
        """The rows of the steps to forecast, with the known inputs to be filled in, for `future` of :meth:`predict`.

        Args:
            frame: the table of the series' histories. Default: the one that the forecaster was trained on.

        Raises:
            RunError: the forecaster takes no known inputs, or the table does not follow the training data.
        """
        from recurra.series.future import future_template

        if not self._form.known:
            raise RunError("the forecaster takes no known inputs: there is nothing to fill in")
        opened = self._to_forecast(frame, None, needs_known=False)
        return self._framed(future_template(opened.panel, opened.form, self.horizon), frame)

    def paths(self, frame: Any = None, future: Any = None, samples: int = SAMPLES, seed: int = 0) -> Any:
        """Draw sample paths of the steps after each series' end; the autoregressive model alone does.

        The values of a path belong together: a quantile of the sums of paths is one of the sum.

        Args:
            frame: the table of the series' histories. Default: the one that the forecaster was trained on.
            future: a table of the known inputs in the steps to forecast. Default: they are in `frame`.
            samples: the number of paths of each series. Default 200.
            seed: the seed of the draws. Default 0.

        Returns:
            A row for each series, path and step: ids and times as in the table, ``sample`` (the number of the path,
            from 1), and ``forecast``.

        Raises:
            RunError: as :meth:`predict`; or the model is another one.
        """
        from recurra.runtime.forecasting import AutoregressiveModel
        from recurra.series.results import paths_table

        model = self.runtime
        if not isinstance(model, AutoregressiveModel):
            raise RunError('a direct model draws no sample paths: train one with model="autoregressive"')
        checks.whole("samples", samples)
        opened = self._to_forecast(frame, future)
        drawn = model.paths(opened.panel, samples=samples, seed=seed)
        return self._framed(paths_table(drawn, opened.panel, opened.form), frame)

    def backtest(
        self, frame: Any = None, origins: int | None = None, step: int | None = None, refit: bool = False
    ) -> BacktestFrames:
        """Forecast from origins in the past, and compare with what came and with the naive forecasts.

        Without a table new forecasters are trained on what was known of the training table at the first origin, or with
        `refit` at each. With a table the trained forecaster is taken as it is, as on data that came later.

        Args:
            frame: a table that came after the training. Default: the one that the forecaster was trained on.
            origins: the number of origins. Default: 20.
            step: the steps between origins. Default: the horizon, or fewer where the series are short.
            refit: whether a forecaster is trained anew at each origin.

        Returns:
            The forecasts and measures as frames; printed, a table of the measures and what they say.

        Raises:
            RunError: the series are too short, or the table does not follow the training data.
        """
        from recurra.tasks.series import backtesting

        opened = self._to_forecast(frame, None, needs_known=False)
        plan = backtesting.BacktestPlan(self.horizon, origins, step, refit)
        if frame is not None:
            if refit:
                raise RunError("refit is for the table that was trained on: leave out the frame, or call fit with it")
            report = backtesting.backtest_trained(opened, plan, self.runtime)
        else:
            from recurra.tasks.series.runs import train_alone

            settings = self._settings(self.horizon)
            report = backtesting.backtest_new(opened, plan, lambda panel: train_alone(opened, settings, panel))
        forecasts, measures = backtesting.backtest_table(report), backtesting.measures_table(report)
        return BacktestFrames(report, self._framed(forecasts, frame), self._framed(measures, frame))

    def plot(self, path: str | os.PathLike[str], frame: Any = None, future: Any = None) -> None:
        """Draw the forecast into an HTML file that needs no other.

        Args:
            path: the file.
            frame: the table of the series' histories. Default: the one that the forecaster was trained on.
            future: a table of the known inputs in the steps to forecast. Default: they are in `frame`.

        Raises:
            RunError: as :meth:`predict`, or the file cannot be written.
        """
        from recurra.tasks.series.drawing import page_of_trained, write_page

        opened = self._to_forecast(frame, future)
        write_page(page_of_trained(self.runtime, opened, self.runtime.forecast(opened.panel)), Path(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trained forecaster to one file, for :meth:`load` and ``recurra.runtime.load_forecaster``.

        Raises:
            RunError: the forecaster is not trained yet.
            FileFormatError: the file cannot be written.
        """
        self.runtime.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forecaster:
        """Load a trained forecaster, without torch.

        Args:
            path: the folder of a run, or a file of :meth:`save` or ``recurra export``.

        Raises:
            RunError: there is no forecaster, or a file is damaged.
        """
        from recurra.tasks.series.loading import form_of, load_forecast_model

        made = cls()
        made._model = load_forecast_model(Path(path))
        form_of(made._model, path)
        return made

    def _to_forecast(self, frame: Any, future: Any, *, needs_known: bool = True) -> OpenedTable:
        """The table to forecast, on the grid of the trained model."""
        from recurra.tasks.series.opening import open_to_forecast, table_from

        ahead = None if future is None else table_from(future)
        horizon = self.horizon if needs_known else 0
        if frame is not None:
            return open_to_forecast(table_from(frame), self._form, horizon, _logger.warning, ahead)
        if self._opened is None:
            raise RunError("the forecaster was loaded from a file, which has no table: give one to forecast")
        if ahead is None and not (needs_known and self._form.known):
            return self._opened
        return open_to_forecast(self._opened.table, self._form, horizon, _logger.debug, ahead)

    @property
    def _form(self) -> TableFormat:
        from recurra.tasks.series.loading import form_of

        return form_of(self.runtime, "the forecaster")

    def _framed(self, table: Any, frame: Any) -> Any:
        from recurra.series.frames import frame_of

        return frame_of(table, self._like if frame is None else _kind_of(frame))

    def __repr__(self) -> str:
        return "<Forecaster, not trained yet>" if self._model is None else f"<Forecaster {self._model!r}>"


class BacktestFrames:
    """A backtest as frames; printed, a table of its measures and what they say.

    Args:
        report: the backtest.
        forecasts: its table, as a frame.
        measures: its measures, as a frame.

    Attributes:
        report: the arrays and the panel.
        forecasts: a row for each series, origin and step: ids, time, ``cutoff`` (the last time that the forecast knew),
            the target as it came, ``forecast`` and its quantiles, and the naive forecasts.
        measures: a row for the forecaster and one for each naive forecast: ``mae``, ``rmse``, ``smape``, ``mase``,
            ``wql``, coverage and width of the intervals.
    """

    def __init__(self, report: BacktestReport, forecasts: Any, measures: Any) -> None:
        self.report, self.forecasts, self.measures = report, forecasts, measures

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the backtest into an HTML file that needs no other.

        Raises:
            RunError: the file cannot be written.
        """
        from recurra.tasks.series.drawing import page_of_report, write_page

        write_page(page_of_report(self.report), Path(path))

    def __str__(self) -> str:
        return str(self.report)

    def __repr__(self) -> str:
        return str(self)


def _names(given: ColumnNames) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _kind_of(frame: Any) -> Any:
    """A frame of the kind of a table; a mapping for the path of one."""
    return {} if isinstance(frame, (str, os.PathLike)) else frame
