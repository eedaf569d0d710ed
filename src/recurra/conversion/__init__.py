"""Weights of other libraries as descriptions of models: where arrays come from, what their names and layouts say."""
