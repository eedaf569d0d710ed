"""One word has one meaning: no two classes share a name, and what lies below the zoo names no cell."""

import ast
import re
from collections import defaultdict

import pytest

from tests.sources import FILES, NATIVE_FILES, ROOT, SOURCE, tree_of

# Names that several classes may have, and why.
SHARED = {
    **dict.fromkeys(
        ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
        "an accelerated module's class has the name that its class has in torch.nn and in recurra.nn",
    ),
    "Array": "a module's alias for the arrays that it works on, of numpy or of any library",
    **dict.fromkeys(
        ("Backward", "Made", "Node", "Operand", "Rule", "Scan", "Source", "State", "Value"),
        "not told apart yet",
    ),
}

# torch's own names, which contain a cell's.
OF_TORCH = {
    "src/recurra/engines/torch_internals.py": {"_use_cudnn_rnn_flatten_weight", "_cudnn_rnn_flatten_weight"},
    "src/recurra/engines/vendor/flatten.py": {"rnn"},  # torch.backends.cudnn.rnn
}


ALIASED = (ast.Subscript, ast.BinOp, ast.Name, ast.Attribute)


def definitions(tree):
    """The classes and aliases of types at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(
            node.value, (ast.Subscript, ast.BinOp, ast.Name, ast.Attribute)
        ):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (name for name in names if re.fullmatch(r"_*[A-Z]\w*[a-z]\w*", name))
        elif isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.dump(node.annotation):
            yield node.target.id


def test_no_two_classes_share_a_name():
    found = defaultdict(list)
    for path in FILES:
        for name in definitions(tree_of(path)):
            found[name.lstrip("_")].append(str(path.relative_to(SOURCE)))
    shared = {name: sorted(paths) for name, paths in found.items() if len(paths) > 1}
    lines = [f"{name}: {', '.join(paths)}" for name, paths in sorted(shared.items()) if name not in SHARED]
    assert not lines, "several classes, or aliases of types, have one name:\n" + "\n".join(lines)
    assert set(SHARED) <= set(shared), f"exceptions that nothing needs: {sorted(set(SHARED) - set(shared))}"


def test_classes_and_aliases_are_seen():
    source = "class _A: pass\nB = dict[str, int]\nCd = dict[str, int]\nEf = Gh | None\nIj: TypeAlias = int\nKl = f()\n"
    assert list(definitions(ast.parse(source))) == ["_A", "Cd", "Ef", "Ij"]


def cell_named(text):
    """Whether a name contains a cell's: lstm, GRUCell, min_gru."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)
    return bool(re.search("lstm|rnn|mgu", text, re.I)) or "gru" in (word.lower() for word in words)


def names_in(tree):
    """All names, attributes, arguments, imports and strings of a module, docstrings left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from re.findall(r"\w+", node.value)
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(name := getattr(node, field, None), str):
                yield from name.split(".")


def identifiers_in(source):
    """All words of C++ outside of comments."""
    return re.findall(r"[A-Za-z_]\w*", re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.S))


BELOW = [path for path in FILES if path.relative_to(SOURCE).parts[0] in ("program", "compiler", "engines")]


@pytest.mark.parametrize("path", [*BELOW, *NATIVE_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_cell_is_named_below_the_zoo(path):
    """The compiler and the engines know operations, never cells."""
    names = names_in(tree_of(path)) if path.suffix == ".py" else identifiers_in(path.read_text(encoding="utf-8"))
    found = {name for name in names if cell_named(name)}
    allowed = OF_TORCH.get(path.relative_to(ROOT).as_posix(), set())
    assert not found - allowed
    assert not allowed - found, "an exception that nothing needs"


@pytest.mark.parametrize(
    "source",
    ["cells.lstm(x)", "torch.nn.LSTM", "from torch.nn import GRUCell", "x = 'lstm'", "def f(gru): pass", "min_gru = 1"],
)
def test_cells_are_seen(source):
    assert any(map(cell_named, names_in(ast.parse(source))))


def test_other_words_are_not_cells():
    assert not any(map(cell_named, names_in(ast.parse('"""An LSTM."""\ncongruent = turn(learning)'))))
    assert not any(map(cell_named, identifiers_in("int x; // of an LSTM\n/* and\n a GRU */ double y;")))
    assert any(map(cell_named, identifiers_in("void lstm_step(int x);")))
