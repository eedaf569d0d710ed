"""The jobs of the command line: text, and the training loop and the run folder that all jobs share."""
