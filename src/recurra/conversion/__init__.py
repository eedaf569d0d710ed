"""Weights of other libraries as descriptions of models, by the names and the layouts of their arrays."""
