"""The picture of forecasts: one HTML file that needs nothing else."""
