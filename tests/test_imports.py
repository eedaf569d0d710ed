"""Who may import whom: imports go downwards only, and torch stays where it belongs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "recurra"

# A part may import the parts in its row. Parts are the top-level modules and packages of recurra.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "program": {"errors"},
    "values": {"errors", "program"},
    "equations": {"errors", "program", "values"},
    "cells": {"equations", "program", "compiler"},
    "vocabulary": {"errors"},
    "model": {"errors", "files", "vocabulary", "program", "equations", "cells", "compiler"},
    "compiler": {"errors", "program", "values", "equations"},
    "engines": {"errors", "program", "cells", "compiler", "_native"},
    "version": set(),
    "conversion": {"errors", "program", "equations", "cells", "compiler", "model"},
    "runtime": {
        "",
        "errors",
        "vocabulary",
        "model",
        "conversion",
        "program",
        "equations",
        "cells",
        "compiler",
        "engines",
        "_native",
    },
    "nn": {"errors", "vocabulary", "model", "conversion", "program", "equations", "cells", "compiler", "engines"},
    "onnx": {
        "",
        "version",
        "errors",
        "files",
        "program",
        "values",
        "equations",
        "cells",
        "compiler",
        "engines",
        "model",
        "runtime",
        "nn",
    },
    "look": {"errors", "program", "equations", "compiler", "nn"},
    "tasks": {
        "version",
        "errors",
        "files",
        "vocabulary",
        "model",
        "conversion",
        "runtime",
        "equations",
        "cells",
        "engines",
        "nn",
        "look",
    },
    "bench": {"errors", "equations", "cells", "compiler", "engines", "nn", "tasks"},
    "cli": {
        "errors",
        "files",
        "equations",
        "cells",
        "compiler",
        "engines",
        "nn",
        "look",
        "model",
        "runtime",
        "onnx",
        "tasks",
        "bench",
        "_native",
        "version",
        "",
    },
    "": {"version", "errors", "program", "equations", "cells", "compiler", "engines", "nn", "look"},
}
THIRD_PARTY = {
    "torch": {"nn", "tasks", "bench", "cli", "engines"},
    "numpy": {"engines", "onnx", "tasks", "bench", "vocabulary", "model", "runtime", "conversion"},
    "safetensors": set(),
    "typer": {"cli"},
    "rich": {"cli"},
    "onnx": {"onnx", "bench"},
    "onnxruntime": {"bench"},
    "openvino": {"bench"},
    "jax": {"bench"},
    "torchrecurrent": {"bench"},
}


def part_of(path):
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py").removesuffix(".pyi").replace("__init__", "")


FILES = sorted(path for path in ROOT.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path):
    """Every module that a file imports, function bodies included; imports for type checkers alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "recurra":
                yield from (f"recurra.{a.name}" if (ROOT / a.name).is_dir() else "recurra" for a in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path):
    part = part_of(path)
    for module in imported(path):
        top, _, rest = module.partition(".")
        if top == "recurra":
            target = rest.partition(".")[0]
            assert target == part or target in ALLOWED[part], f"{part or 'recurra'} must not import {module}"
        elif top in THIRD_PARTY:
            assert part in THIRD_PARTY[top], f"{part or 'recurra'} must not import {module}"


def test_no_cell_is_named_below_the_zoo():
    """The compiler and the engines know operations, never cells."""
    for folder in ("program", "compiler", "engines"):
        for path in (ROOT / folder).rglob("*.py"):
            words = set(path.read_text(encoding="utf-8").lower().replace("_", " ").split())
            assert not words & {"lstm", "gru", "lstm:", "gru:", "'lstm'", '"lstm"'}, path


def test_core_imports_without_the_extras():
    code = (
        "import sys\n"
        "for name in ('torch', 'typer', 'rich', 'onnx', 'onnxruntime', 'triton'): sys.modules[name] = None\n"
        "import recurra, recurra.compiler, recurra.cells, recurra.program, recurra.engines, recurra.look, recurra.cli\n"
        "import numpy as np\n"
        "print(recurra.explain(recurra.cells.gru))\n"
        "from recurra.engines import Call, choose\n"
        "plan = recurra.compiler.plan(recurra.compiler.trace(recurra.cells.indrnn))\n"
        "kernel = choose(plan).build(plan)\n"
        "call = Call(np.ones((2, 3)), [1, 1], [np.zeros((1, 4))], [np.ones((3, 4)), np.ones(4), np.ones(4)],\n"
        "            recurra.program.Sizes(3, 4))\n"
        "print(kernel.forward(call).output.tolist())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.rstrip().endswith("[[4.0, 4.0, 4.0, 4.0], [8.0, 8.0, 8.0, 8.0]]")


def test_layers_without_torch_say_what_to_install():
    code = "import sys; sys.modules['torch'] = None\nimport recurra.nn"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.rstrip().endswith('recurra.nn needs torch; run: pip install "recurra[torch]"')


def test_importing_recurra_does_not_import_torch():
    code = "import sys, recurra, recurra.compiler, recurra.cells, recurra.engines; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_runtime_starts_without_what_it_seldom_needs():
    """A process that predicts once spends most of its time on imports: benchmarks/import_time.py."""
    code = "import sys, numpy; known = set(sys.modules)\nimport recurra.runtime; print(*set(sys.modules) - known)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seldom = {"decimal", "logging", "numpy.typing", "pathlib", "secrets", "tempfile"}
    seldom |= {"recurra.compiler.differentiate", "recurra.files", "recurra.nn", "recurra.conversion"}
    assert seldom.isdisjoint(run.stdout.split())
