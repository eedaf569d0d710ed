"""`recurra doctor`: a table of versions, instruction sets, threads and engines, with reasons for what cannot run."""

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from types import ModuleType

from recurra.errors import EngineError

BUILD_HINT = "`make build` (or `pip install .`) in the source tree builds it"


def doctor() -> None:
    """Print versions, instruction sets, threads and engines.

    Raises:
        SystemExit: with 1, if RECURRA_ISA or RECURRA_ENGINE is wrong.
    """
    native = _load("recurra._native")
    problem = _isa_problem(native)
    rows = [*_versions(), *_native_module(native, problem), *_threads(native), *_engines()]
    problems = [each for each in (problem, _engine_problem()) if each]
    rows += [("problem", each) for each in problems]
    _show(rows)
    if problems:
        raise SystemExit(1)


def _load(module: str) -> ModuleType | str:
    """Import a module; or return the reason why that fails, an empty text if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        return "" if error.name == module else f"installed, but it cannot be imported: {error}"
    except Exception as error:  # a broken installation may raise anything, and doctor has to show it
        return f"installed, but it cannot be imported: {type(error).__name__}: {error}"


def _versions() -> Iterator[tuple[str, str]]:
    try:
        version = importlib.metadata.version("recurra")
    except importlib.metadata.PackageNotFoundError:
        version = "not installed: imported from its source tree"
    yield "recurra", version
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    yield "platform", platform.platform()
    for name, install in {
        "numpy": "numpy",
        "torch": "recurra[torch]",
        "onnx": "recurra[onnx]",
        "onnxruntime": "recurra[onnx]",
    }.items():
        module = _load(name)
        if isinstance(module, ModuleType):
            yield name, str(module.__version__)
        else:
            yield name, module or f"not installed: pip install '{install}'"


def _isa_problem(native: ModuleType | str) -> str:
    if isinstance(native, ModuleType):
        try:
            native.active_isa()
        except ValueError as error:
            return str(error)
    return ""


def _native_module(native: ModuleType | str, problem: str) -> Iterator[tuple[str, str]]:
    forced = os.environ.get("RECURRA_ISA")
    if isinstance(native, str):
        yield "native module", f"{native or 'not built'}: {BUILD_HINT}"
        if forced:
            yield "RECURRA_ISA", f"{forced}: has no effect without the native module"
        return
    cpu = native.cpu()
    yield "native module", f"built for {', '.join(native.built_isas())}, by {native.compiler()}"
    yield "this machine", f"supports {', '.join(native.supported_isas())}"
    yield "CPU", f"{cpu['architecture']}: {' '.join(cpu['features']) or 'nothing that a kernel asks for'}"
    if forced:
        yield "RECURRA_ISA", forced
    if problem:
        yield "will use", "nothing: see the problem below"
        return
    yield "will use", native.active_isa()
    fast = native.fast_products()
    others = "" if "bfloat16" in fast else "; those of bfloat16 are computed in float32, which is faster here"
    yield "products", f"of {', '.join(fast)}{others}"
    for fault in native.faults():
        yield "fault", fault


def _threads(native: ModuleType | str) -> Iterator[tuple[str, str]]:
    yield "hardware threads", str(native.hardware_threads() if isinstance(native, ModuleType) else os.cpu_count())
    torch = sys.modules.get("torch")
    yield "torch threads", str(torch.get_num_threads()) if torch else "torch is not there"
    yield "OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "not set")


def _engines() -> Iterator[tuple[str, str]]:
    from recurra.engines import reasons  # late, as each command loads only what it needs

    for name, reason in reasons().items():
        yield f"{name} engine", "available" if reason is None else f"not available: {reason}"
    if not _engine_problem():
        yield from _devices()
    forced = os.environ.get("RECURRA_ENGINE")
    if forced:
        yield "RECURRA_ENGINE", forced


def _devices() -> Iterator[tuple[str, str]]:
    """The engines that run torch.nn's cells and other cells, for each device of this machine."""
    from recurra.cells import gru, lstm, mgu, rnn
    from recurra.compiler import plan, trace
    from recurra.engines import choose

    kinds = {"LSTM, GRU, RNN": (lstm, gru, rnn), "other cells": (mgu,)}
    for device in ("cpu", *_accelerators()):
        lines = []
        for kind, cells in kinds.items():
            try:
                names = dict.fromkeys(choose(plan(trace(cell)), "float32", device).name for cell in cells)
            except EngineError as error:
                lines.append(f"{kind}: {error}")
            else:
                lines.append(f"{kind} by the {' and '.join(names)} engine")
        yield f"on {device}", "; ".join(lines)


def _accelerators() -> Iterator[str]:
    torch = sys.modules.get("torch")
    if torch is not None and torch.accelerator.is_available():
        yield torch.accelerator.current_accelerator().type


def _engine_problem() -> str:
    from recurra.engines import asked

    try:
        asked()
    except EngineError as error:
        return str(error)
    return ""


def _show(rows: list[tuple[str, str]]) -> None:
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for label, value in rows:
            table.add_row(Text(label, style="bold"), Text(value))  # in Text, [brackets] are not read as markup
        Console().print(table)
        return
    width = max(len(label) for label, _ in rows) + 2
    for label, value in rows:
        print(f"{label:{width}}{value}")
