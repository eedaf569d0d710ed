"""The training loop of all jobs."""
