"""The exceptions of recurra's own; layers raise the types that torch.nn raises in the same place."""

MAX_LINE = 300  # characters of a message about what comes from a file


def one_line(text: str, most: int = MAX_LINE) -> str:
    """A text that may hold anything as one line that any terminal shows: escaped, and cut in its middle."""
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]} … {text[-half + 3 :]}"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= most else shown[: most - 2] + " …"


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
