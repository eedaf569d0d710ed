"""Forecasting: the training of recurrent networks on tables of time series."""
