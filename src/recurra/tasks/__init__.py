"""What the command line can train: text, and the loop and the run folder that such jobs share."""
