"""The exceptions of recurra's own; layers raise the types that torch.nn raises in the same place."""


class RecurraError(ValueError):
    """Anything that recurra refuses; the message says what was expected, what came, and where."""


class EquationError(RecurraError):
    """A cell's equations do not make sense; the message names the cell, the variable and the source line."""


class ProgramError(RecurraError):
    """A program that comes from outside (JSON) is malformed or too large."""


class FileFormatError(RecurraError):
    """A model or its file cannot be written or read: not of the format, damaged, or beyond a cap; nothing was run."""


class EngineError(RecurraError):
    """No engine, or not the one asked for, can run this; the message gives each engine's reason."""


class OnnxError(RecurraError):
    """An ONNX model cannot be read, needs what is not supported, or is given what it does not take."""


class RunError(RecurraError):
    """A folder, a file or a corpus of the command line's jobs cannot be used."""
