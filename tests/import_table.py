"""The permitted imports; ``python -m tests.import_table`` writes them into the table of docs/architecture.md."""

import re

from tests.sources import ROOT

PAGE = ROOT / "docs" / "architecture.md"
HEAD, RULE = "| folder | what it is | may import |\n", "|---|---|---|\n"

# The parts from the lowest to the highest, and for each the parts in rows above that it may import. A part is a
# top-level module or package of recurra; the empty name is recurra itself, the facade.
ALLOWED = {
    "version": set(),
    "errors": set(),
    "mistakes": {"errors"},
    "files": {"errors"},
    "page": {"version", "errors", "files"},
    "vocabulary": {"errors"},
    "series": {"errors"},
    "program": {"errors"},
    "source_lines": set(),
    "module_calls": set(),
    "values": {"errors", "program", "source_lines", "module_calls"},
    "equations": {"errors", "program", "values"},
    "compiler": {"errors", "program", "source_lines", "module_calls", "values", "equations"},
    "cells": {"errors", "program", "equations", "compiler"},
    "_native": set(),
    "engines": {"errors", "program", "compiler", "cells", "_native"},
    "model": {"errors", "files", "vocabulary", "series", "program", "equations", "compiler", "cells"},
    "packed": {"errors", "program", "compiler", "engines"},
    "graph": {
        "errors", "files", "program", "values", "equations", "compiler", "engines", "model", "packed",
    },
    "conversion": {"errors", "program", "equations", "compiler", "cells", "model", "graph"},
    "runtime": {
        "errors", "mistakes", "vocabulary", "series", "program", "equations", "compiler", "cells", "engines", "model",
        "conversion", "packed", "graph",
    },
    "nn": {
        "errors", "mistakes", "vocabulary", "program", "equations", "compiler", "cells", "engines", "model",
        "conversion", "graph",
    },
    "onnx": {
        "version", "errors", "files", "program", "values", "equations", "compiler", "cells", "engines", "model",
        "graph", "runtime", "nn",
    },
    "look": {
        "errors", "mistakes", "page", "program", "equations", "compiler", "cells", "engines", "model", "conversion",
        "runtime", "nn",
    },
    "tasks": {
        "version", "errors", "files", "page", "vocabulary", "series", "program", "equations", "compiler", "cells",
        "engines", "model", "conversion", "runtime", "nn", "look",
    },
    "": {
        "version", "errors", "program", "equations", "compiler", "cells", "engines", "runtime", "nn", "onnx", "look",
        "tasks",
    },
    "bench": {"errors", "equations", "compiler", "cells", "engines", "nn", "tasks"},
    "cli": {
        "version", "errors", "mistakes", "files", "page", "series", "equations", "compiler", "cells", "_native",
        "engines", "model", "graph", "runtime", "nn", "onnx", "look", "tasks", "bench",
    },
    "__main__": {"cli"},
}  # fmt: skip

# Third-party packages, and the parts that may import them.
THIRD_PARTY = {
    "numpy": {
        "page", "vocabulary", "series", "cells", "engines", "model", "conversion", "packed", "graph", "runtime", "nn",
        "onnx", "look", "tasks", "bench",
    },
    "torch": {"engines", "nn", "onnx", "look", "tasks", "bench", "cli"},
    "triton": {"engines"},
    "onnx": {"onnx", "bench"},
    "onnx_ir": {"onnx"},
    "safetensors": set(),
    "narwhals": {"series"},
    "pyarrow": {"series"},
    "tokenizers": {"tasks"},
    "typer": {"cli"},
    "rich": {"cli"},
    "onnxruntime": {"bench"},
    "openvino": {"bench"},
    "jax": {"bench"},
    "torchrecurrent": {"bench"},
}  # fmt: skip


def titled(part):
    """The name of a part in the page."""
    names = {"": "`recurra`", "_native": "`native/`"}
    return names.get(part) or f"`{part}{'/' if (ROOT / 'src' / 'recurra' / part).is_dir() else '.py'}`"


def may_import(part):
    """The last column of a part's row: parts from the lowest to the highest, then third-party packages."""
    names = {"": "recurra", "_native": "native"}
    parts = [names.get(each, each) for each in ALLOWED if each in ALLOWED[part]]
    packages = [package for package, parts_of_it in THIRD_PARTY.items() if part in parts_of_it]
    return "; ".join(", ".join(each) for each in (parts, [f"*{name}*" for name in packages]) if each) or "–"


def written(page):
    """The page, with the rows of its table in the order of :data:`ALLOWED`, and their last column written anew.

    Raises:
        ValueError: a part has no row, or a row no part.
    """
    begin = page.index(HEAD) + len(HEAD + RULE)
    end = re.compile(r"^(?!\|)", re.M).search(page, begin).start()
    rows = dict(row.strip("| \n").split(" | ")[:2] for row in page[begin:end].splitlines())
    missing, unknown = ({titled(part) for part in ALLOWED} - set(rows), set(rows) - {titled(part) for part in ALLOWED})
    if missing or unknown:
        raise ValueError(f"the table in {PAGE.name} lacks {sorted(missing)} and has {sorted(unknown)} too many")
    table = [f"| {titled(part)} | {rows[titled(part)]} | {may_import(part)} |\n" for part in ALLOWED]
    return page[:begin] + "".join(table) + page[end:]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
