"""F4 to F6, F12 and F27: checkpoints that are cut off, flipped, of another version, or dated wrongly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult

from wanglandau import checkpoint_file
from wanglandau.checkpoint_file import previous_of, read_checkpoint, write_checkpoint
from wanglandau.errors import InputError

OLDER, NEWER = b"older" * 7, bytes(range(256))
LARGE = np.random.default_rng(0).bytes(200_000)


def two_generations(folder: Path, newer: bytes = NEWER) -> tuple[Path, bytes]:
    """Write two checkpoints; return the path and the bytes of the newer."""
    path = folder / "run.h5.checkpoint"
    write_checkpoint(path, OLDER, 1)
    write_checkpoint(path, newer, 2)
    return path, path.read_bytes()


def judge(path: Path, contents: bytes) -> None:
    """Put a damaged newer generation in place and insist on the older one and a word about it."""
    path.write_bytes(contents)
    found = read_checkpoint(path)
    if found.content not in (OLDER, NEWER):
        raise WrongResult("damaged content was read")
    if found.content != OLDER:
        raise WrongResult("the damage was not noticed")
    assert str(path) in found.warning and found.sequence == 1


def judge_alone(path: Path, contents: bytes) -> None:
    """The same where there is no other generation: refused by name, and the file is left as it is."""
    path.write_bytes(contents)
    try:
        read_checkpoint(path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        raise WrongResult("damaged content was read")
    assert path.read_bytes() == contents


def cut_off(count: FaultCount, folder: Path, newer: bytes, lengths: list[int]) -> None:
    path, whole = two_generations(folder, newer)
    for length in lengths:
        with count.injection(f"{length} bytes of {len(whole)}"):
            judge(path, whole[:length])
    previous_of(path).unlink()
    for length in lengths:
        with count.injection(f"{length} bytes of {len(whole)}, alone"):
            judge_alone(path, whole[:length])


def test_every_truncation_is_found(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    with counted("F4") as count:
        size = len(two_generations(quick_folder)[1])
        cut_off(count, quick_folder, NEWER, list(range(size)))
        if tally.full:
            size = len(two_generations(quick_folder, LARGE)[1])
            cut_off(
                count, quick_folder, LARGE, [0, 1, 8, 23, 24, 25, *range(31, size, size // 200), size - 33, size - 1]
            )
        path, whole = two_generations(quick_folder)
        for extra in (1, 7, 4096):
            with count.injection(f"{extra} bytes too many"):
                judge(path, whole + b"\0" * extra)


def flipped(whole: bytes, bits: np.ndarray) -> Iterator[tuple[int, bytes]]:
    for bit in bits.tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(damaged)


def flip_bits(count: FaultCount, folder: Path, number: int) -> None:
    """Flip every bit of a small checkpoint, and so many random ones of a large."""
    rng = np.random.default_rng(5)
    path, whole = two_generations(folder)
    for bit, damaged in flipped(whole, np.arange(8 * len(whole))):
        with count.injection(f"bit {bit}"):
            judge(path, damaged)
    path, whole = two_generations(folder, LARGE)
    for bit, damaged in flipped(whole, rng.integers(0, 8 * len(whole), number)):
        with count.injection(f"bit {bit} of a large one"):
            judge(path, damaged)
    previous_of(path).unlink()
    for bit, damaged in flipped(whole, rng.integers(0, 8 * len(whole), number)):
        with count.injection(f"bit {bit} of a large one, alone"):
            judge_alone(path, damaged)


def test_every_flipped_bit_is_found(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    with counted("F5") as count:
        flip_bits(count, quick_folder, tally.size(50, 2000))
        assert count.injected > 1000


def test_flipped_bits_would_be_read_without_the_checksum(
    broken: Callable, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        """A digest that is always the same."""

        digest_size = 32

        def __init__(self, _: bytes = b"") -> None:
            pass

        def update(self, _: bytes) -> None:
            pass

        def digest(self) -> bytes:
            return b"\0" * 32

    with broken("F5", "checksum of checkpoints") as count:
        monkeypatch.setattr(checkpoint_file.hashlib, "sha256", Blind)
        flip_bits(count, quick_folder, 10)
        assert count.wrong > 1000


def test_two_damaged_generations_are_refused(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    rng = np.random.default_rng(6)
    path, newer = two_generations(quick_folder)
    older = previous_of(path).read_bytes()
    with counted("F6") as count:
        for _ in range(tally.size(50, 1000)):
            damaged = [_damaged(whole, rng) for whole in (newer, older)]
            with count.injection([len(contents) for contents in damaged]):
                for place, contents in zip((path, previous_of(path)), damaged, strict=True):
                    place.write_bytes(contents)
                try:
                    read_checkpoint(path)
                except InputError as error:
                    assert str(path) in str(error) and str(previous_of(path)) in str(error)
                else:
                    raise WrongResult("a damaged checkpoint was read")
                assert [path.read_bytes(), previous_of(path).read_bytes()] == damaged
                assert len(list(quick_folder.iterdir())) == 2


def _damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, flip a bit, overwrite a stretch, or empty."""
    place = int(rng.integers(len(whole)))
    match rng.integers(4):
        case 0:
            return whole[:place]
        case 1:
            return next(flipped(whole, rng.integers(0, 8 * len(whole), 1)))[1]
        case 2:
            return whole[:place] + rng.bytes(len(whole) - place)
        case _:
            return b""


def test_order_does_not_depend_on_clocks(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    rng = np.random.default_rng(27)
    with counted("F27") as count:
        for place in range(tally.size(20, 300)):
            path, _ = two_generations(quick_folder)
            times = rng.integers(0, 2**32, 2).tolist()
            with count.injection(times):
                for file, when in zip((path, previous_of(path)), times, strict=True):
                    os.utime(file, (when, when))
                if place % 2:  # a file system that shows the names in another order
                    os.rename(path, quick_folder / "kept")
                    os.rename(previous_of(path), path)
                    os.rename(quick_folder / "kept", previous_of(path))
                found = read_checkpoint(path)
                if found.content != NEWER:
                    raise WrongResult("the older checkpoint was taken")


def test_order_by_clocks_would_be_noticed(broken: Callable, quick_folder: Path) -> None:
    def newest_by_clock(path: Path) -> bytes:
        newest = max((path, previous_of(path)), key=lambda place: place.stat().st_mtime)
        return checkpoint_file._read(newest).content

    with broken("F27", "sequence number, the time of the file instead") as count:
        path, _ = two_generations(quick_folder)
        os.utime(path, (0, 0))
        with count.injection("the newer is dated before the older"):
            if newest_by_clock(path) != NEWER:
                raise WrongResult("the older checkpoint was taken")
