"""The version of recurra."""

__version__ = "0.1.0"
