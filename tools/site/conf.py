"""Sphinx's settings: ``make docs``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from recurra.version import __version__  # noqa: E402

project = "recurra"
author = "the authors of recurra"
copyright = "the authors of recurra, Apache-2.0"
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "tools.site.accessible",
    "tools.site.docstrings",
    "tools.site.front",
    "tools.site.pages",
    "tools.site.references",
]
exclude_patterns: list[str] = []
nitpicky = True
highlight_language = "none"  # a block without a language is output

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3  # the anchors of headings that GitHub has too

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"recurra {__version__}"
html_static_path = [str(ROOT / "tools" / "site" / "static")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre"
