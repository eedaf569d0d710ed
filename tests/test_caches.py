"""Every cache has a row in docs/architecture.md: what is kept, by which key, and for how long."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "recurra"
DECORATORS = {"lru_cache", "cache", "cached_property"}
WEAK = {"WeakValueDictionary", "WeakKeyDictionary"}
LASTING = ("engines", "graph", "nn", "packed", "runtime", "vocabulary")  # packages whose objects live on between calls
# The tables of these are filled while a schedule is lowered, and dropped after it.
LOWERING = [SOURCE / "engines" / "native" / f"{name}.py" for name in ("code", "constants", "lower", "segments")]
# The same is so where kernels are written for Triton.
LOWERING += [SOURCE / "engines" / "triton" / f"{name}.py" for name in ("body", "identifiers", "phases", "step_kernels")]
# The traced variables of a run; a module's weights in one call; tables of operators, which their definitions fill; and
# what lasts as long as a graph is read, written or settled.
NO_CACHES = {
    *("engines.protocol.Result.traced", "nn.running.arranged._LayerCalls._parameters"),
    *("graph.table._TABLE", "graph.settling.node.SETTLERS", "nn.graphs.table.TABLE"),
    "conversion.keras_graphs.table.RULES",
    *(
        "graph.refusals.GraphRefusals._nodes",
        "graph.running.NodeStep.attributes",
        "graph.settling.memory.Buffers._owners",
    ),
    *(f"graph.quantized_pairs._Rewriting.{name}" for name in ("_added", "_next", "_quanta")),
    *(f"nn.graphs.translate._Translator.{name}" for name in ("_sizes", "_tensors", "_values")),
    "graph.writing.GraphNodes.tensors",
}


def name_of(node):
    """The last name of a decorator, or of an expression that is called or subscripted."""
    if isinstance(node, (ast.Call, ast.Subscript)):
        return name_of(node.func if isinstance(node, ast.Call) else node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def is_empty_dictionary(value):
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.Call) and name_of(value) == "field":
        return any(k.arg == "default_factory" and name_of(k.value) == "dict" for k in value.keywords)
    return isinstance(value, ast.Call) and (name_of(value) in WEAK or (name_of(value) == "dict" and not value.args))


def assigned(node):
    """The name to which a statement assigns an empty dictionary; ``name`` for ``self.name``."""
    if isinstance(node, ast.AnnAssign) and node.value is not None and is_empty_dictionary(node.value):
        return name_of(node.target)
    if isinstance(node, ast.Assign) and is_empty_dictionary(node.value):
        return name_of(node.targets[0])
    return None


def in_classes(path, tree):
    """The dictionaries that are empty when an object or module begins."""
    yield from ((None, name) for name in map(assigned, tree.body) if name)
    for made in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        begins = [node for node in made.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
        for node in (*made.body, *(inner for begin in begins for inner in ast.walk(begin))):
            if assigned(node) and path.relative_to(SOURCE).parts[0] in LASTING:
                yield made.name, assigned(node)


def found():
    names = []
    for path in sorted({*SOURCE.rglob("*.py")} - {*LOWERING}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        owners = {id(inner): node.name for node in tree.body if isinstance(node, ast.ClassDef) for inner in node.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and DECORATORS.intersection(map(name_of, node.decorator_list)):
                names.append(".".join(filter(None, (module, owners.get(id(node)), node.name))))
        names += [".".join(filter(None, (module, *place))) for place in in_classes(path, tree)]
    return [name for name in names if name not in NO_CACHES]


def test_the_page_names_every_cache_and_no_other():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## Caches\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert sorted(named) == sorted(found())
