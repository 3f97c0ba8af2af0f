"""F7 to F9: disks that are full or broken, and crashes between the steps of a write."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from failing_system import Failing, failing_calls, small_disk, small_files_only
from fault_counts import FaultCount, Tally, WrongResult
from known_levels import noisy_record
from standin_campaign import CELL

from lsms_bridge.result_log import Record, ResultLog
from surrogate.artefact import Card, describe_lattice, load_artefact, save_artefact
from wanglandau.checkpoint_file import read_checkpoint, write_checkpoint
from wanglandau.errors import InputError
from wanglandau.run_file import read_run, write_run
from wanglandau.systems import load_system

CONTENTS = [bytes([number]) * 5000 for number in range(3)]
FULL = (errno.ENOSPC,)
BROKEN = (errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES)


def number_of_steps(folder: Path) -> int:
    """Count the calls to the system that a checkpoint takes when there is one before it."""
    path = folder / "counted"
    write_checkpoint(path, CONTENTS[0], 1)
    with failing_calls(Failing(0, lambda: None)) as calls:
        write_checkpoint(path, CONTENTS[1], 2)
    assert calls.calls > 8
    return calls.calls


def raising(number: int) -> Callable[[], object]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def checkpoint_steps_fail(count: FaultCount, folder: Path, numbers: tuple[int, ...]) -> None:
    """Let every step of writing a checkpoint fail in turn: one whole checkpoint is left, and writing goes on."""
    path = folder / "c"
    for step in range(1, number_of_steps(folder) + 1):
        for number in numbers:
            with count.injection(f"step {step}, {os.strerror(number)}"):
                for sequence in (1, 2):
                    write_checkpoint(path, CONTENTS[sequence - 1], sequence)
                failed = False
                try:
                    with failing_calls(Failing(step, raising(number))):
                        write_checkpoint(path, CONTENTS[2], 3)
                except OSError:
                    failed = True
                found = read_checkpoint(path).content
                if found not in (CONTENTS[1], CONTENTS[2]) or not (failed or found == CONTENTS[2]):
                    raise WrongResult("the checkpoint is neither the old nor the new one")
                assert not list(folder.glob("*.tmp")) and not list(folder.glob(".*.tmp")), "temporary files are left"
                write_checkpoint(path, CONTENTS[0], 4)
                assert read_checkpoint(path).content == CONTENTS[0]


def test_full_disk_at_every_step_of_a_checkpoint(counted: Callable, quick_folder: Path) -> None:
    with counted("F7") as count:
        checkpoint_steps_fail(count, quick_folder, FULL)


def test_broken_disk_at_every_step_of_a_checkpoint(counted: Callable, quick_folder: Path) -> None:
    with counted("F8") as count:
        checkpoint_steps_fail(count, quick_folder, BROKEN)


def artefact_card() -> Card:
    lattice = load_system("cuau").lattice
    return Card("dense", ["energy"], {}, list(lattice.species), describe_lattice(lattice), [0.0, 0.0])


WEIGHTS = {"weights": np.random.default_rng(1).normal(size=5000)}


def results_are_whole_or_old(count: FaultCount, folder: Path, limit: Callable[[int], object], sizes: list[int]) -> None:
    """Write a run file and an artefact where there is room for a part only; the old ones stay and can be read."""
    run, artefact, card = folder / "run.h5", folder / "model.safetensors", artefact_card()
    old, new = noisy_record(seed=1), noisy_record(seed=2)
    write_run(run, old)
    save_artefact(artefact, WEIGHTS, card)
    before = [path.read_bytes() for path in (run, artefact)]
    for size in sizes:
        for name, write in (
            ("run file", lambda: write_run(run, new)),
            ("artefact", lambda: save_artefact(artefact, {"weights": 2 * WEIGHTS["weights"]}, card)),
        ):
            with count.injection(f"{name}, room for {size} bytes"):
                try:
                    with limit(size):  # type: ignore[attr-defined]
                        write()
                except InputError as error:
                    assert "cannot write" in str(error)
                else:
                    raise WrongResult("written although there was no room")
                assert [path.read_bytes() for path in (run, artefact)] == before
                read_run(run), load_artefact(artefact)
                assert len(list(folder.iterdir())) == 2, "something is left behind"


def test_no_room_for_result_files(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    size = (lambda path: (write_run(path, noisy_record()), path.stat().st_size)[1])(quick_folder / "run.h5")
    with counted("F7") as count:
        sizes = np.linspace(0, 0.9 * size, tally.size(4, 40)).astype(int).tolist()
        results_are_whole_or_old(count, quick_folder, small_files_only, sizes)


def test_small_disk(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    """On a real file system of a few pages; the log of energies keeps what it had and goes on when there is room."""
    with small_disk(tmp_path / "disk", 2**16) as mounted:
        if not mounted:
            pytest.skip("file systems cannot be mounted here")
        disk = tmp_path / "disk"
        with counted("F7") as count:
            for filling in np.linspace(0, 2**16 - 2**13, tally.size(3, 30)).astype(int).tolist():
                with count.injection(f"{filling} bytes taken"):
                    fill_up(disk, filling)


def fill_up(disk: Path, filling: int) -> None:
    """Take room, write until there is none, and see what is left."""
    for file in list(disk.iterdir()):
        file.unlink()
    (disk / "other").write_bytes(b"x" * filling)
    path, sequence, written = disk / "c", 0, b""
    log, logged = ResultLog(disk, CELL, {}), 0
    try:
        for sequence in range(1, 60):
            content = bytes([sequence]) * (3000 * sequence)
            write_checkpoint(path, content, sequence)
            written = content
            log.add(record(logged))
            logged += 1
    except OSError as error:
        assert error.errno == errno.ENOSPC
    else:
        raise AssertionError("the disk never was full")
    finally:
        log.close()
    if sequence > 1 and read_checkpoint(path).content != written:
        raise WrongResult("another checkpoint than the last one")
    assert not list(disk.glob(".*.tmp"))
    (disk / "other").unlink()
    path.unlink(missing_ok=True)
    log = ResultLog(disk, CELL, {})
    assert len(log) >= logged, "energies were lost"
    log.add(record(200))
    log.close()


def record(number: int) -> Record:
    sites = f"{number:08b}"
    return Record(sites, -1.5, -0.5, 0.5, (0.0,) * 8, (0.0,) * 8, 12, 1e-6, 1e-6, 1e-6, 30.0, "test")


def test_folders_that_cannot_be_written_to(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    """A folder that is missing, is a file, or is read-only (a real mount: permissions do not bind root)."""
    (tmp_path / "file").write_bytes(b"")
    with small_disk(tmp_path / "disk", 2**16, options=",ro") as mounted, counted("F8") as count:
        for folder in (tmp_path / "none", tmp_path / "file", *([tmp_path / "disk"] if mounted else [])):
            with count.injection(f"checkpoint in {folder.name}"), pytest.raises(OSError):
                write_checkpoint(folder / "c", b"content", 1)
            with count.injection(f"run file in {folder.name}"), pytest.raises(InputError, match="cannot write"):
                write_run(folder / "run.h5", noisy_record())
            with count.injection(f"artefact in {folder.name}"), pytest.raises(InputError, match="cannot write"):
                save_artefact(folder / "model.safetensors", WEIGHTS, artefact_card())


def crash_at_every_step(count: FaultCount, folder: Path, write: Callable[[Path, bytes, int], object]) -> None:
    """Die before and after every step of the third checkpoint; the second or the third is there, and the next works."""
    path = folder / "c"
    for step in range(1, number_of_steps(folder) + 1):
        for after in (False, True):
            with count.injection(f"{'after' if after else 'before'} step {step}"):
                for sequence in (1, 2):
                    write_checkpoint(path, CONTENTS[sequence - 1], sequence)
                child = os.fork()
                if child == 0:
                    with failing_calls(Failing(step, lambda: os._exit(9), after)):
                        write(path, CONTENTS[2], 3)
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, "it did not die"
                if read_checkpoint(path).content not in (CONTENTS[1], CONTENTS[2]):
                    raise WrongResult("neither the last checkpoint nor the one before it")
                write_checkpoint(path, CONTENTS[0], 4)
                assert read_checkpoint(path).content == CONTENTS[0]


def test_crash_between_the_steps_of_a_write(counted: Callable, quick_folder: Path) -> None:
    with counted("F9") as count:
        crash_at_every_step(count, quick_folder, write_checkpoint)


def test_writing_in_place_would_be_noticed(broken: Callable, quick_folder: Path) -> None:
    def in_place(path: Path, content: bytes, sequence: int) -> None:
        """What many programs do: open the file anew and write."""
        path.with_name("c.prev").unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            for part in (content[:100], content[100:], b"", b"", b"", b"", b"", b"", b"", b"", b"", b"", b"", b""):
                file.write(part)

    with broken("F9", "writing beside the old file, in place instead") as count:
        crash_at_every_step(count, quick_folder, in_place)
