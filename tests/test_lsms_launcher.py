"""A program is run as it was named, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from standin_campaign import alive

from lsms_bridge.failures import Failure, LsmsError
from lsms_bridge.guard import EXIT_FILE
from lsms_bridge.launcher import GuardedRuns, Launcher
from wanglandau.errors import InputError

SLEEPER = (
    "import subprocess, sys, os, signal, time\n"
    "if 'stubborn' in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
    "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
    "os.replace('pids', 'ready')\n"
    "time.sleep(600)\n"
)


def python(program: str, *words: str, **settings: object) -> Launcher:
    return Launcher(sys.executable, ("-c", program, *words), **({"time_limit": 30.0, "grace": 0.3} | settings))  # type: ignore[arg-type]


def wait_for(file: Path, seconds: float = 20.0) -> list[int]:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"{file} did not appear"
        time.sleep(0.02)
    return [int(word) for word in file.read_text().split()]


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


def test_program_gets_its_words_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("OMPI_X", "passed")
    monkeypatch.setenv("LSMS_Y", "asked")
    program = (
        "import os, sys, json; print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), sys.stdin.read()]));"
        "print('said', file=sys.stderr)"
    )
    outcome = GuardedRuns().run(python(program, "a b", threads=3, environment=("LSMS_*",)), tmp_path)
    assert outcome["returncode"] == 0
    words, folder, environment, read = json.loads((tmp_path / "stdout").read_text())
    assert words == ["-c", "a b", "i_lsms"] and Path(folder) == tmp_path.resolve() and read == ""
    assert "SECRET_TOKEN" not in environment and environment["OMPI_X"] == "passed" and environment["LSMS_Y"] == "asked"
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "3"
    assert (tmp_path / "stderr").read_text() == "said\n"


@pytest.mark.parametrize(
    "word", ["; touch owned", "$(touch owned)", "`touch owned`", "-rf", "a\nb", "| touch owned", "*"]
)
def test_words_stay_words(tmp_path: Path, word: str) -> None:
    GuardedRuns().run(python("import sys; print(ascii(sys.argv[1]))", word), tmp_path)
    assert (tmp_path / "stdout").read_text().strip() == ascii(word)
    assert not (tmp_path / "owned").exists()


def test_mpi_stands_before_the_program() -> None:
    launcher = Launcher("true", mpi=("env", "-u", "X"))
    assert [Path(word).name for word in launcher.command()] == ["env", "-u", "X", "true", "i_lsms"]
    assert [Path(word).name for word in launcher.command(serial=True)] == ["true", "i_lsms"]


def test_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'no-such-lsms' was not found.*executable in \[launcher\]"):
        GuardedRuns().run(Launcher("no-such-lsms"), tmp_path)
    (tmp_path / "lsms").write_text("not a program")
    with pytest.raises(InputError, match="may not be executed"):
        Launcher(str(tmp_path / "lsms")).command()
    (tmp_path / "lsms").chmod(0o755)
    (tmp_path / "lsms").write_bytes(b"\x7fELF broken")
    with pytest.raises(LsmsError, match="cannot be started"):
        GuardedRuns().run(Launcher(str(tmp_path / "lsms")), tmp_path)


def test_exit_status_is_kept_on_disk(tmp_path: Path) -> None:
    for program, code in (("raise SystemExit(7)", 7), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9)):
        assert GuardedRuns().run(python(program), tmp_path)["returncode"] == code
        assert json.loads((tmp_path / EXIT_FILE).read_text())["returncode"] == code


@pytest.mark.parametrize("kind", ["gentle", "stubborn"])
def test_time_limit_ends_the_whole_group(tmp_path: Path, kind: str) -> None:
    with pytest.raises(LsmsError, match="time limit of 1 s") as refusal:
        GuardedRuns().run(python(SLEEPER, kind, time_limit=1.0), tmp_path)
    assert refusal.value.failure is Failure.TIMED_OUT
    assert gone(wait_for(tmp_path / "ready")) and not (tmp_path / EXIT_FILE).exists()


def test_children_that_a_program_leaves_are_ended(tmp_path: Path) -> None:
    program = SLEEPER.rsplit("time.sleep", 1)[0]
    assert GuardedRuns().run(python(program), tmp_path)["returncode"] == 0
    assert gone(wait_for(tmp_path / "ready"))


def test_all_runs_can_be_ended_at_once(tmp_path: Path) -> None:
    runs, ended = GuardedRuns(), []
    folders = [tmp_path / "one", tmp_path / "two"]

    def run(folder: Path) -> None:
        folder.mkdir()
        with pytest.raises(KeyboardInterrupt):
            runs.run(python(SLEEPER, "stubborn"), folder)
        ended.append(folder)

    threads = [threading.Thread(target=run, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    pids = [pid for folder in folders for pid in wait_for(folder / "ready")]
    runs.end_all()
    for thread in threads:
        thread.join(20)
    assert gone(pids) and sorted(ended) == folders
    with pytest.raises(KeyboardInterrupt):
        runs.run(python("pass"), tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_its_owner(tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import sys; from pathlib import Path; from lsms_bridge.launcher import GuardedRuns, Launcher\n"
        f"launcher = Launcher(sys.executable, ('-c', {SLEEPER!r}, 'stubborn'), grace=0.3)\n"
        f"GuardedRuns().run(launcher, Path({str(tmp_path)!r}))"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    pids = wait_for(tmp_path / "ready")
    os.kill(owner.pid, number)
    owner.wait()
    assert gone(pids)


def test_files_cannot_grow_without_bound(tmp_path: Path) -> None:
    program = "import os\nwhile True: os.write(1, b'too many energy iterations ' * 1000)"
    outcome = GuardedRuns().run(python(program, max_file_size=100_000), tmp_path)
    assert outcome["returncode"] != 0 and (tmp_path / "stdout").stat().st_size <= 100_000
