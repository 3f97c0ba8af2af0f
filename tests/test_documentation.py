"""Pages and API reference are built without a warning: every docstring parses, every link and name leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(file for folder in ("docs", "examples", "surrogate") for file in (ROOT / folder).rglob("*.md")),
]


def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    words = ["-q", "-W", "--keep-going", "-b", "dummy", "-c", ROOT / "docs", "-d", tmp_path / "trees"]
    words += [ROOT, tmp_path / "pages"]
    built = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, timeout=900)
    assert built.returncode == 0, built.stderr


def links(page: Path) -> list[Path]:
    """Return the files that a Markdown page names: links and pictures, without those to other sites."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", text)
    return [page.parent / target for target in targets if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    missing = [str(target) for target in links(page) if not target.exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_headings_hold_no_links(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"^#+ .*\]\(.*$", text, flags=re.MULTILINE)  # pages of HTML list headings, and break on these


def test_a_link_to_nothing_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("See [this](absent.md), [that](page.md#part) and [there](https://example.org).\n")
    assert [target.name for target in links(tmp_path / "page.md")] == ["absent.md", "page.md"]


def test_the_tutorial_names_every_example() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    scripts = [script.name for script in (ROOT / "examples").glob("*.py")]
    assert scripts and not [name for name in scripts if name not in text]
