"""Time series without torch: tables, times, regular grids, simple forecasts, measures; and what a forecaster knows."""
