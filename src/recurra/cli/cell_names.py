"""Cells by the names that the command line takes: of the zoo, or FILE.py:NAME."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType

from recurra import cells
from recurra.equations import Cell
from recurra.errors import RunError, one_line


def is_model(name: str) -> bool:
    """Whether a name is a path of a model and not a cell: it exists, or looks like a path, and is no Python file."""
    if name in cells.all() or ".py" in name:
        return False
    return Path(name).exists() or name.endswith(".safetensors") or "/" in name


def cell_of(name: str) -> Cell:
    """The cell of a name.

    Args:
        name: a cell of the zoo, in any case and with ``-`` for ``_``; or ``FILE.py:NAME``, whose file is executed.
            ``FILE.py`` suffices where the file has one cell.

    Raises:
        RunError: there is no such cell; the message gives the closest names.
    """
    if ".py" in name:
        path, _, attribute = name.rpartition(".py")
        return _own(Path(f"{path}.py"), attribute.removeprefix(":"))
    zoo = cells.all()
    found = zoo.get(name.lower().replace("-", "_"))
    if found is None:
        hint = _closest(name, list(zoo))
        raise RunError(f"there is no cell {one_line(name, 60)!r}: {hint} A cell of your own is FILE.py:NAME")
    return found


def _closest(name: str, known: list[str]) -> str:
    """A hint at the names that are most like one."""
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}."


def _own(path: Path, name: str) -> Cell:
    """A cell that a Python file defines."""
    module = _executed(path)
    found = {key: value for key, value in vars(module).items() if isinstance(value, Cell)}
    if name in found:
        return found[name]
    if name in vars(module):
        raise RunError(f"{path}: {_no_cell(name, getattr(module, name))}")
    if not found:
        raise RunError(f"{path} has no cell: none of its names was made by @recurra.cell")
    own = {key: value for key, value in found.items() if _is_of(value, module)} or found  # not those it imports
    if not name and len(own) == 1:
        return next(iter(own.values()))
    if not name:
        raise RunError(f"{path} has several cells: say {path}:NAME with NAME one of {', '.join(own)}")
    raise RunError(f"{path} has no cell {one_line(name, 60)!r}: {_closest(name, list(own))}")


def _no_cell(name: str, value: object) -> str:
    """What a name of a file is that is not a cell, and what to do."""
    if isinstance(value, FunctionType):
        return f"{one_line(name, 60)!r} is a plain function: write @recurra.cell above its def"
    kind = value.__name__ if isinstance(value, type) else type(value).__name__
    return (
        f"{one_line(name, 60)!r} is a {kind}, not a cell; in Python recurra.explain(…, x) takes layers and models too"
    )


class _SourceLoader(SourceFileLoader):
    """A loader that keeps no bytecode: a command writes nothing beside the file that it reads."""

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def _executed(path: Path) -> ModuleType:
    if not path.is_file():
        raise RunError(f"{path}: there is no such file")
    name = f"_recurra_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.absolute().parent))  # as Python does for a script
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script may end itself
        raise RunError(f"{path} cannot be run: {type(error).__name__}: {one_line(str(error), 200)}") from None
    finally:
        sys.path.pop(0)
    return module


def _is_of(cell: Cell, module: ModuleType) -> bool:
    return getattr(getattr(cell, "function", None), "__module__", None) == module.__name__
