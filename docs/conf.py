"""Settings of Sphinx for all pages of the repository and the API reference; ``make docs`` builds them without network.

The source folder is the repository, so that pages link to each other, and to scripts and tests, as they do there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
os.environ["NUMBA_DISABLE_JIT"] = "1"  # compiled functions are documented like any other
os.environ["TRITON_INTERPRET"] = "1"

from module_pages import write_module_pages
from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, NumpyDocstring

import wanglandau

write_module_pages(ROOT, ROOT / "docs" / "api" / "modules")

project = "alloy-wanglandau"
version = release = wanglandau.__version__
copyright = "the authors of alloy-wanglandau, BSD-3-Clause"

extensions = ["sphinx.ext.autodoc", "myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "examples/**.md", "surrogate/**.md"]
exclude_patterns = ["docs/_build", "docs/module_pages.py", ".*", "runs", "build"]
suppress_warnings = ["toc.not_included"]  # reports to which others lead
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_use_type_comments = False

# Every name in a signature has to lead somewhere; those of other libraries would need the network.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", rf"{library}\..*")
    for library in ("numpy", "np", "torch", "h5py", "ase", "xgboost", "tqdm", "jsonargparse", "triton", "safetensors")
]
nitpick_ignore_regex += [(r"py:.*", rf"{module}\..*") for module in sorted(sys.stdlib_module_names)]
nitpick_ignore_regex += [
    (r"py:class", r"(tuple|list|dict)\[.*|Path|Figure|Axes"),  # halves of annotations that only type checkers evaluate
    (r"py:class", r"(.*\.)?(Model|Key|Result|Words)"),  # type variables
]

html_theme = "alabaster"


# Types in docstrings carry shapes and units (float64[n_sites], eV), which are no names of classes to be linked.
SECTIONS = Config(
    napoleon_use_param=False, napoleon_use_rtype=False, napoleon_custom_sections=[("Attributes", "params_style")]
)


def _read_sections(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn numpydoc sections into reStructuredText; attributes have none, but colons that napoleon would misread."""
    if what not in ("attribute", "data", "property"):
        lines[:] = str(NumpyDocstring("\n".join(lines), SECTIONS, app, what, name, obj, options)).splitlines()


def setup(app: Sphinx) -> None:
    """Have docstrings read as numpydoc, by the part of napoleon that does it."""
    app.connect("autodoc-process-docstring", _read_sections)
