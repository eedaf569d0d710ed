"""Autoregressive forecasting: the training of a network that gives the distribution of each next value."""
