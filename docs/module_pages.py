"""Pages of the API reference: one for each module, and one for each package that lists its modules.

Modules are found as files and their first sentences read without importing them, so that no list has to be kept.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGES = ("wanglandau", "surrogate", "lsms_bridge")


def write_module_pages(root: Path, folder: Path) -> list[str]:
    """Bring all pages up to date, touching only those that change, and return the names of the modules.

    Parameters
    ----------
    root : Path
        Where the packages are.
    folder : Path
        Holds nothing but these pages; others are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages: dict[str, str] = {}
    names = []
    for package in PACKAGES:
        modules = {_module_name(file, root): _first_sentence(file) for file in _files(root / package)}
        pages |= {name: _page(name) for name in modules}
        pages[package] = _package_page(package, modules)
        names += modules
    for file in folder.iterdir():
        if file.stem not in pages:
            file.unlink()
    for name, text in pages.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    return names


def _files(package: Path) -> list[Path]:
    """List the modules; programs that other environments run are none."""
    return sorted(file for file in package.rglob("*.py") if not file.stem.endswith("_walk"))


def _module_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _first_sentence(file: Path) -> str:
    documentation = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return documentation.split("\n")[0]


def _page(name: str) -> str:
    return f"{_title(name)}.. automodule:: {name}\n"


def _package_page(package: str, modules: dict[str, str]) -> str:
    rows = [f":doc:`{name}`\n   {sentence}\n" for name, sentence in modules.items() if name != package]
    contents = "".join(f"   {name}\n" for name in modules if name != package)
    listed = f".. toctree::\n   :hidden:\n\n{contents}"
    return f"{_title(package)}.. automodule:: {package}\n\n{''.join(rows)}\n{listed}"


def _title(name: str) -> str:
    return f"{name}\n{'=' * len(name)}\n\n"
