"""recurra's own exceptions; layers raise the types that torch.nn raises in the same place."""

MAX_LINE = 300  # the most characters of a message about a file's content


def one_line(text: str, most: int = MAX_LINE) -> str:
    """Turn any text into one line that any terminal shows: escaped, and cut in its middle.

    Args:
        text: the text.
        most: the most characters of the line. Default 300.
    """
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]} … {text[-half + 3 :]}"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= most else shown[: most - 2] + " …"


class RecurraError(ValueError):
    """Base of recurra's errors; the message says what was expected, what was given, and where."""


class EquationError(RecurraError):
    """A fault in a cell's equations; the message names the cell, the variable and the source line."""


class ProgramError(RecurraError):
    """A program from outside (JSON) that is malformed or too large."""


class FileFormatError(RecurraError):
    """A model or file that cannot be written or read: of another format, damaged, or beyond a cap. Nothing was run."""


class EngineError(RecurraError):
    """A call that no engine can run, or not the requested one; the message gives each engine's reason."""


class OnnxError(RecurraError):
    """An ONNX model that cannot be read or is not supported, or an input that a model does not take."""


class RunError(RecurraError):
    """A folder, file or corpus that a job of the command line cannot use."""
