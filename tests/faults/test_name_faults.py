"""F23 and F24: names that look like commands or options, and paths that lead elsewhere."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_counts import FaultCount, Tally, WrongResult
from known_levels import noisy_record
from standin_campaign import CELL, some, standin_configuration

from lsms_bridge.campaign import Campaign
from lsms_bridge.configuration import load_configuration
from lsms_bridge.launcher import GuardedRuns, Launcher
from lsms_bridge.result_log import LOCK_NAME
from lsms_bridge.run_folders import find_runs
from wanglandau.checkpoint_file import read_checkpoint, write_checkpoint
from wanglandau.cli import main
from wanglandau.errors import InputError
from wanglandau.run_file import read_run, write_run
from wanglandau.run_lock import locked

WORDS = (
    "; touch owned", "$(touch owned)", "`touch owned`", "| touch owned", "& touch owned &", "-rf", "--help", "-",
    "a\nb", "a\ttouch owned", "*", "?", "~", "${HOME}", "'; touch owned; '", '"; touch owned; "', "> owned",
    "a b", "\\", "%s%n", "{}", "ü", "a;b", "!!", "#", "\x1b[31m", "$IFS", "\r\n",
)  # fmt: skip
PRINT = "import sys; print(ascii(sys.argv[1:-1]))"


def words_stay_words(count: FaultCount, folder: Path, words: tuple[str, ...]) -> None:
    """Give words to the program, and names to the program itself and to its folder."""
    for word in words:
        with count.injection(f"argument {word!r}"):
            GuardedRuns().run(Launcher(sys.executable, ("-c", PRINT, word, "end")), folder)
            if (folder / "owned").exists() or (folder / "stdout").read_text().strip() != ascii([word, "end"]):
                raise WrongResult("a word was interpreted")
        name = word.replace("/", "_")
        with count.injection(f"program and folder called {word!r}"):
            place = folder / f"x{name}"
            place.mkdir(exist_ok=True)
            program = place / f"p{name}"
            program.write_text(f"#!{sys.executable}\nprint('ran')\n")
            program.chmod(0o755)
            GuardedRuns().run(Launcher(str(program)), place)
            assert (place / "stdout").read_text() == "ran\n" and not list(folder.rglob("owned"))
        with count.injection(f"variable {word!r}"), pytest.raises(InputError, match="names of variables"):
            Launcher(sys.executable, environment=(f"X{word}Y;",))


def files_with_odd_names(count: FaultCount, folder: Path, words: tuple[str, ...]) -> None:
    """Write and read files that are called like commands."""
    for word in words:
        path = folder / f"{word}.h5"
        with count.injection(f"file {word!r}"):
            write_run(path, noisy_record())
            read_run(path)
            write_checkpoint(path.with_suffix(".checkpoint"), b"content", 1)
            assert read_checkpoint(path.with_suffix(".checkpoint")).content == b"content"
            with locked(path.with_suffix(".lock"), word):
                pass
            assert sorted(os.listdir(folder)) == sorted([path.name, path.with_suffix(".checkpoint").name])
        for file in folder.iterdir():
            file.unlink()


def commands_with_odd_names(
    count: FaultCount, folder: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture
) -> None:
    """Name the files of a command like commands: they are made under these very names, or refused in one line."""
    before = set(os.listdir(folder))
    for word in words:
        with count.injection(f"--out {word!r}"):
            (folder / f"{word}.toml").write_text('unlike_bond_energies = [-50.0]\nunits = "meV"\n')
            out = f"{word}.h5"
            code = main(["exact", "cuau", "--repeat", "1", "1", "1", f"--oracle=pair:{word}.toml", f"--out={out}"])
            said = capsys.readouterr()
            made = set(os.listdir(folder)) - before
            assert "Traceback" not in said.err
            if "owned" in made or not made <= {out, f"{word}.toml"}:
                raise WrongResult(f"{made} came into being")
            assert (code == 0 and out in made) or (code == 2 and said.err.count("\n") == 1), said.err
        for name in set(os.listdir(folder)) - before:
            (folder / name).unlink()
        for place in (["exact", word], ["dos", f"--oracle={word}"], ["inspect", word], [word]):
            with count.injection(f"{place}"):
                code = main(place)
                said = capsys.readouterr()
                assert code in (0, 2) and "Traceback" not in said.err
                assert set(os.listdir(folder)) == before, "something came into being"


def test_words_are_taken_literally(
    counted: Callable,
    tally: Tally,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    words = WORDS if tally.full else WORDS[1:12:5]
    for name in ("launcher", "files", "commands"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "commands")
    with counted("F23") as count:
        words_stay_words(count, tmp_path / "launcher", words)
        files_with_odd_names(count, tmp_path / "files", words)
        commands_with_odd_names(count, tmp_path / "commands", words, capsys)


def test_a_shell_would_be_noticed(broken: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: GuardedRuns, launcher: Launcher, folder: Path) -> None:
        words = launcher.command()
        line = f"{shlex.join(words[:3])} {' '.join(words[3:])} > stdout 2>/dev/null"
        subprocess.run(line, shell=True, cwd=folder)

    with broken("F23", "lists of arguments, a shell instead") as count:
        monkeypatch.setattr(GuardedRuns, "run", run)
        words_stay_words(count, tmp_path, WORDS[:2])
        assert count.wrong


# ---------------------------------------------------------------- paths that lead elsewhere


PRECIOUS = b"do not touch"


def links_are_not_followed(count: FaultCount, folder: Path) -> None:
    """Put links to somebody's file where results, checkpoints, locks and runs go."""
    precious = folder / "precious"

    def intact(label: str, write: Callable[[], object]) -> None:
        precious.write_bytes(PRECIOUS)
        with count.injection(label):
            try:
                write()
            except (InputError, OSError):
                pass
            if precious.read_bytes() != PRECIOUS:
                raise WrongResult("a file elsewhere was written to")

    for name in ("run.h5", "c", "c.prev", "c.lock"):
        (folder / name).symlink_to(precious)
    intact("run file", lambda: write_run(folder / "run.h5", noisy_record()))
    intact("checkpoint", lambda: [write_checkpoint(folder / "c", b"content", number) for number in (1, 2)])

    def lock() -> None:
        with locked(folder / "c.lock", "it"):
            pass

    intact("lock", lock)
    (folder / "results").mkdir()
    (folder / "results" / LOCK_NAME).symlink_to(precious)
    intact("lock of results", lambda: Campaign(CELL, standin_configuration(folder)).close())


def runs_elsewhere_are_not_read(count: FaultCount, folder: Path) -> None:
    """Put links to folders elsewhere among runs that are to be imported."""
    elsewhere, here = folder / "elsewhere", folder / "here"
    for place in (elsewhere, here / "mine"):
        place.mkdir(parents=True)
        (place / "k.out").write_text("")
    for number in range(10):
        (here / f"link-{number}").symlink_to(elsewhere if number % 2 else folder)
        with count.injection(f"link {number}"):
            found = find_runs(here)
            if found != [here / "mine"]:
                raise WrongResult(f"{found} were read")


def names_that_are_none(count: FaultCount, folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Give names with NUL, folders, devices and files that do not exist."""
    (folder / "pair.toml").write_text('unlike_bond_energies = [-50.0]\nunits = "meV"\n')
    (folder / "folder.h5").mkdir()
    pair = f"pair:{folder / 'pair.toml'}"
    for out in ("a\0b.h5", str(folder / "folder.h5"), "../no/such/folder.h5", "/dev/null/x.h5", "x" * 300 + ".h5", ""):
        with count.injection(f"--out {out[:20]!r}"):
            code = main(["exact", "cuau", "--repeat", "1", "1", "1", f"--oracle={pair}", f"--out={out}"])
            said = capsys.readouterr()
            assert code == 2 and "Traceback" not in said.err and said.err.strip(), said.err
    for name in ("..", "/", "/dev/null", "../../../../etc/passwd", "a\0b", "a\0.toml"):
        for words in (["exact", name], ["inspect", name], ["exact", "cuau", f"--oracle=pair:{name}"]):
            with count.injection(f"{words!r}"):
                assert main(words) == 2
                assert "Traceback" not in capsys.readouterr().err
    for key in ("folder", "known", "preset"):
        with count.injection(f"NUL in {key}"), pytest.raises(InputError):
            (folder / "lsms.toml").write_text(f'{key} = "a\\u0000b"\n[launcher]\nexecutable = "true"\n')
            load_configuration(folder / "lsms.toml", "cuau").known_results()


def test_paths_that_lead_elsewhere(
    counted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("links", "runs", "names"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "names")
    with counted("F24") as count:
        links_are_not_followed(count, tmp_path / "links")
        runs_elsewhere_are_not_read(count, tmp_path / "runs")
        names_that_are_none(count, tmp_path / "names", capsys)


def test_results_of_a_campaign_stay_in_its_folder(counted: Callable, tmp_path: Path) -> None:
    """Whatever the species and occupations, folders of runs are called after digests."""
    home = tmp_path / "home"
    home.mkdir()
    with counted("F24") as count, count.injection("folders of runs"):
        with Campaign(CELL, standin_configuration(home)) as campaign:
            campaign.compute(some(CELL)[2:3], "../../../outside")
        assert [path.name for path in tmp_path.iterdir()] == ["home"]
