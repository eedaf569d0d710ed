"""The parts of `recurra demo`: races beside torch, a forecast, and the page of all."""
