"""The parts of autoregressive forecasting that need no torch.

The network is DeepAR's (Salinas, Flunkert, Gasthaus & Januschowski 2020): at each step it reads the value before, lags
and covariates, and gives the parameters of the distribution of the step's value.
"""
