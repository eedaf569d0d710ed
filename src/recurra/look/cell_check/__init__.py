"""``check(cell)``: whether a cell computes the same everywhere, what it costs, and how fast it is beside an LSTM."""
