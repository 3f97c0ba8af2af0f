"""Scripts for shells: what the tab key offers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lsms_bridge.cli import main as bridge
from surrogate.cli import main as surrogate
from wanglandau.cli import main as wanglandau

pytest.importorskip("shtab")
ASK = """
source ./completion.sh
offer() {{
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  set -- $(complete -p {program})
  while [ $# -gt 0 ] && [ "$1" != -F ]; do shift; done
  $2 {program} "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
  echo "${{COMPREPLY[@]}}"
}}
"""
OFFERED = {
    "wanglandau d": "dos",
    "wanglandau dos c": "cuau",
    "wanglandau dos my": "my.toml",
    "wanglandau dos cuau --schedule ": "1/t halving sad",
    "wanglandau dos cuau --no-pi": "--no-pinned",
    "wanglandau dos cuau --repeat 2 2 2 --oracle pa": "pair",
    "wanglandau inspect ru": "run.h5",
    "wanglandau dos cuau --conf": "--config",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wanglandau(["--print-completion", "bash"]) == 0
    (tmp_path / "completion.sh").write_text(capsys.readouterr().out)
    for name in ("run.h5", "my.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    lines = [ASK.format(program="wanglandau")]
    for words in OFFERED:
        lines.append("offer " + " ".join(f'"{word}"' for word in words.split(" ")))
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.splitlines() == list(OFFERED.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_program_and_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    for main, name in ((surrogate, "learning-curve"), (bridge, "campaign")):
        assert main([f"--print-completion={shell}"]) == 0
        assert name in capsys.readouterr().out


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert wanglandau(["--print-completion", "tcsh"]) == 2
    assert "choose bash, zsh, fish" in capsys.readouterr().err
    assert wanglandau(["--print-completion"]) == 2
    assert "needs the name of a shell" in capsys.readouterr().err
