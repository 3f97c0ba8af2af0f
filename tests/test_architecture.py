"""The rules that keep the packages readable and apart."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGES = ("wanglandau", "surrogate", "lsms_bridge")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
SCRIPTS = sorted(file for folder in ("docs", "examples", "tests") for file in (ROOT / folder).rglob("*.py"))

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "tools", "manager", "base", "misc"}


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600)


def definitions(file: Path) -> list[ast.FunctionDef | ast.ClassDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def body_lines(function: ast.FunctionDef) -> int:
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - statements[0].lineno + 1 if statements else 0


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_tool_has_no_complaint(tool: list[str]) -> None:
    result = run_python("-m", *tool)
    assert result.returncode == 0, result.stdout + result.stderr


def test_import_contracts_hold() -> None:
    result = run_python("-c", "import sys, importlinter.cli as cli; sys.exit(cli.lint_imports())")
    assert result.returncode == 0 and "0 broken" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_imports_a_command_line(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name for name in imported if name and name.split(".")[-1] == "cli"}


@pytest.mark.parametrize("file", SOURCES + SCRIPTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_file_is_short_and_well_named(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    assert file.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_are_short(file: Path) -> None:
    functions = [node for node in definitions(file) if isinstance(node, ast.FunctionDef)]
    long = {node.name: body_lines(node) for node in functions if body_lines(node) > MAX_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_everything_public_is_documented(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    bare = [node.name for node in top if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert ast.get_docstring(tree) and not bare


@pytest.mark.parametrize("package", PACKAGES)
def test_help_imports_nothing_heavy(package: str) -> None:
    script = (
        f"import sys; sys.argv = ['{package}', '--help']\n"
        f"from {package}.cli import main\n"
        "assert main() == 0\n"
        "heavy = {'torch', 'numba', 'xgboost', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = run_python("-c", script)
    assert result.returncode == 0, result.stderr
    assert "commands:" in result.stdout


def test_pyproject_holds_only_the_build_system() -> None:
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))) == {"build-system"}


def test_no_committed_file_names_a_package_index() -> None:
    for name in ("setup.cfg", "constraints.txt", "Makefile", "pyproject.toml", ".ci/run"):
        assert "index-url" not in (ROOT / name).read_text(encoding="utf-8"), name


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pins = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    groups = [settings["options"]["install_requires"], *settings["options.extras_require"].values()]
    requirements = [Requirement(line) for group in groups for line in group.split("\n") if line]
    # xgboost: macOS only; triton: every build of torch for accelerators insists on a version of its own
    ours = [item for item in requirements if item.name not in ("alloy-wanglandau", "xgboost", "triton")]
    assert len(ours) > 15
    wrong = [str(item) for item in ours if not item.specifier.contains(pins.get(item.name.lower(), "0"))]
    assert not wrong
