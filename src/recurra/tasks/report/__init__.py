"""Reports of runs: a page for each run, and comparisons of several."""
