"""Forecasters without torch: forecasts of panels of time series, and streams of one series."""

from recurra.runtime.forecasting.model import ForecastModel, load_forecaster
from recurra.runtime.forecasting.stream import ForecastStream, StreamForecast

__all__ = ["ForecastModel", "ForecastStream", "StreamForecast", "load_forecaster"]
