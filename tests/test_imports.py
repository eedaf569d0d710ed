"""Imports go downwards only, and torch stays where it belongs."""

import ast
import subprocess
import sys

import pytest

from tests.import_table import ALLOWED, PAGE, THIRD_PARTY, written
from tests.sources import FILES, MODULES, SOURCE, imports_of, module_of, part_of, tree_of

# Imports that may close a circle inside a part, and why.
ALLOWED_CIRCLES = {
    ("recurra.program.program", "recurra.program.serial"): "a program reads and writes itself",
    ("recurra.program.program", "recurra.program.text"): "a program prints itself",
}


def own(module):
    return module.partition(".")[0] == "recurra"


def graph():
    """For each module, the modules of recurra that it imports, without those for type checkers alone."""
    return {
        module_of(path): {each.module for each in imports_of(tree_of(path)) if own(each.module) and not each.for_types}
        for path in FILES
    }


def circle(edges):
    """Modules that import each other in a circle, the first one again at the end; None if there are none."""
    done = set()

    def walk(module, path):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        for target in sorted(edges.get(module, ())):
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return None

    return next((found for module in sorted(edges) if (found := walk(module, []))), None)


def test_parts_import_parts_above_them_in_the_table():
    parts = list(ALLOWED)
    for number, (part, allowed) in enumerate(ALLOWED.items()):
        assert allowed <= set(parts[:number]), f"{part or 'recurra'} may not import what stands below it"
    assert set(parts) == {part_of(module) for module in MODULES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path):
    part = part_of(module_of(path))
    for each in imports_of(tree_of(path)):
        top = each.module.partition(".")[0]
        if own(each.module):
            target = part_of(each.module)
            assert target == part or target in ALLOWED[part], f"{part or 'recurra'} must not import {each.module}"
        elif top in THIRD_PARTY and not each.for_types:
            assert part in THIRD_PARTY[top], f"{part or 'recurra'} must not import {each.module}"


def test_modules_import_each_other_in_no_circle():
    edges = graph()
    assert all(target in edges[module] for module, target in ALLOWED_CIRCLES), "an exception that nothing needs"
    for module, target in ALLOWED_CIRCLES:
        edges[module] = edges[module] - {target}
    found = circle(edges)
    assert found is None, " imports ".join(found)


def test_circles_are_found():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": {"d"}, "d": {"b"}}) == ["b", "c", "d", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) is None


@pytest.mark.parametrize(
    ("source", "module", "for_types"),
    [
        ("from recurra import values", "recurra.values", False),
        ("from recurra import _native", "recurra._native", False),
        ("from recurra import nn", "recurra.nn", False),
        ("from recurra import load", "recurra", False),
        ("from recurra.program import check", "recurra.program.check", False),
        ("from recurra.program import Program", "recurra.program", False),
        ("def f():\n    import torch.nn", "torch.nn", False),
        ("if TYPE_CHECKING:\n    from recurra.nn import load", "recurra.nn", True),
    ],
)
def test_imports_are_seen(source, module, for_types):
    (found,) = imports_of(ast.parse(source))
    assert (found.module, found.for_types) == (module, for_types)


def test_the_page_has_the_same_table():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python -m tests.import_table"


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


def test_layers_and_training_start_without_torchs_compiler():
    """Its import takes a second or more and 70 MB."""
    code = (
        "import sys, torch, recurra.nn\n"
        "layer = recurra.nn.LSTM(3, 4)\n"
        "layer(torch.zeros(5, 2, 3))[0].sum().backward()\n"
        "model = recurra.LanguageModel(hidden=8)\n"
        "model.fit('to be or not to be ' * 400, epochs=1)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False"


def test_the_runtime_starts_without_what_it_seldom_needs():
    """A process that predicts once spends most of its time on imports: benchmarks/import_time.py."""
    code = "import sys, numpy; known = set(sys.modules)\nimport recurra.runtime; print(*set(sys.modules) - known)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seldom = {"decimal", "logging", "numpy.typing", "pathlib", "secrets", "tempfile"}
    seldom |= {"recurra.compiler.differentiate", "recurra.files", "recurra.nn", "recurra.conversion"}
    assert seldom.isdisjoint(run.stdout.split())
