"""HDF5 files that point elsewhere, claim more than they hold, or hold what nobody wrote; all of them sealed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from edited_file import edited
from hypothesis import given
from hypothesis import strategies as st
from sealed_files import HDF5, Kind
from trial import LONG, SECONDS, TALLY, attempt, inputs

from wanglandau.command_line import to_json
from wanglandau.commands.results import inspect, thermo
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import reading

HUGE = 10**15


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return names


def _external(file: h5py.File, name: str) -> None:
    file[name] = h5py.ExternalLink("/etc/hostname", "/")


def _pipe(file: h5py.File, name: str) -> None:
    pipe = Path(file.filename).with_name("pipe")
    if not pipe.exists():
        os.mkfifo(pipe)
    file[name] = h5py.ExternalLink(str(pipe), "/")


def _soft(file: h5py.File, name: str) -> None:
    file[name] = h5py.SoftLink("/")


def _round(file: h5py.File, name: str) -> None:
    file[name] = file["/"]


def _storage(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (8,), "u1", external=[("/etc/passwd", 0, 8)])


def _virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout((100,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (100,))
    file.create_virtual_dataset(name, layout)


def _vast(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (HUGE,), "f8")


def _vast_chunks(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (HUGE,), "f8", chunks=(2**20,), compression="gzip")


def _bomb(file: h5py.File, name: str) -> None:
    """One chunk of 64 bytes that unpacks to 200 MB."""
    made = file.create_dataset(name, (8,), "f8", chunks=(8,), compression="gzip")
    made.id.write_direct_chunk((0,), zlib.compress(bytes(200_000_000)))


def _texts(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data=["x" * 1000] * 200, dtype=h5py.string_dtype())


def _references(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data=np.array([file.ref, file.ref]), dtype=h5py.ref_dtype)


def _compound(file: h5py.File, name: str) -> None:
    file[name] = np.zeros(3, dtype=[("a", "f8"), ("b", "S3")])


def _rows(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (3,), h5py.vlen_dtype(np.float64))


def _deep(file: h5py.File, name: str) -> None:
    file.create_group(name + "/a" * 500)


def _type(file: h5py.File, name: str) -> None:
    file[name] = np.dtype("f8")


def _empty(file: h5py.File, name: str) -> None:
    file[name] = h5py.Empty("f8")


def _json(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data="[" * 50_000, dtype=h5py.string_dtype())


TRAPS: list[Callable[[h5py.File, str], None]] = [
    _external, _pipe, _soft, _round, _storage, _virtual, _vast, _vast_chunks, _bomb, _texts, _references, _compound,
    _rows, _deep, _type, _empty, _json,
]  # fmt: skip


def _value(numbers: Iterator[int], like: Any) -> Any:
    """Make something of another type, shape or size."""
    hostile = [
        0, -1, 2**62, np.uint64(2**64 - 1), np.nan, np.inf, "text", "", "\u202e\x1b[2J", b"\xff\xfe", np.zeros(3),
        np.zeros((0, 4)), np.zeros((2, 2, 2)), np.array(["a", "b"], dtype="S1"), np.full(4, np.nan), np.int8(5), True,
        1e308, "[[", '{"a": NaN}', '{"a": 1, "a": 2}', "[1e999]", "null", "[" + "9" * 5000 + "]",
    ]  # fmt: skip
    choice = next(numbers) % 4
    if choice == 0 and isinstance(like, np.ndarray) and like.size:
        changed = like.copy()
        changed.ravel()[next(numbers) % like.size] = changed.ravel()[0] if changed.dtype.kind in "SO" else 113
        return changed
    if choice == 1 and isinstance(like, np.ndarray) and like.ndim:
        return like[: max(0, len(like) - 1)]
    return hostile[next(numbers) % len(hostile)]


class Contents(list[bytes]):
    """The files as they were written, without a text of millions of characters."""

    def __repr__(self) -> str:
        return "contents"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = tmp_path_factory.mktemp("contents")
    made = Contents()
    for number, kind in enumerate(HDF5):
        kind.write(folder / str(number))
        made.append((folder / str(number)).read_bytes())
    return made


@inputs(60, 2500)
@given(
    number=st.integers(0, len(HDF5) - 1),
    how=st.lists(st.integers(0, 999), min_size=12, max_size=12),
    n=st.integers(1, 3),
)
def test_hostile_parts(
    tmp_path_factory: pytest.TempPathFactory, contents: Contents, number: int, how: list[int], n: int
) -> None:
    kind, path = HDF5[number], tmp_path_factory.getbasetemp() / "hostile.h5"
    path.write_bytes(contents[number])
    numbers = cycle(how)
    with edited(path) as file:
        for _ in range(n):
            _change(numbers, file)
    attempt(f"{kind.name}, hostile parts", lambda: _used(kind, path))


def _used(kind: Kind, path: Path) -> Any:
    """Read a file and do with it what the commands do."""
    found = kind.read(path)
    if found is None:
        raise InputError("it counts as not being there")
    if kind.name in ("metropolis", "reweighted"):
        with suppress(InputError):  # the whole file has not all that a real run notes
            inspect(path)
    elif kind.name in ("run", "exact", "semigrand"):
        report = inspect(path)
        json.dumps(to_json(report.values), allow_nan=False)
    if kind.name in ("run", "exact"):
        thermo(path, temperatures="300:600:100")
    return found


def _item(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return what is there, never following a link."""
    try:
        return file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    except (KeyError, RuntimeError):
        return None


def _change(numbers: Iterator[int], file: h5py.File) -> None:
    """Do one thing to one part, as the numbers say."""
    names = [*sorted(_names(file)), "more", "1000", "../x", "kind"]
    name, what = names[next(numbers) % len(names)], next(numbers) % 10
    item = _item(file, name)
    owner = item if item is not None and len(item.attrs) else file
    keys = sorted(set(owner.attrs) - {"seal", "DIMENSION_LIST", "REFERENCE_LIST"})  # HDF5 writes those itself
    if what < 4 and keys:
        key = keys[next(numbers) % len(keys)]
        like = owner.attrs[key]
        del owner.attrs[key]
        if what:
            owner.attrs[key] = _value(numbers, like)
        return
    like = None
    if isinstance(item, h5py.Dataset) and item.shape is not None and item.nbytes < 10**6:
        with suppress(OSError):  # a trap that was laid before
            like = item[()]
    if item is not None:
        del file[name]
    with suppress(ValueError, OSError, KeyError, TypeError, RuntimeError):  # what HDF5 does not let us write
        if what == 4:
            TRAPS[next(numbers) % len(TRAPS)](file, name)
        elif what > 4:
            file[name] = _value(numbers, like)


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
@pytest.mark.parametrize("number", [0, 6, 8])
def test_traps(tmp_path: Path, contents: Contents, trap: Callable[..., None], number: int) -> None:
    kind, path = HDF5[number], tmp_path / "trap.h5"
    path.write_bytes(contents[number])
    with edited(path) as file:
        trap(file, "more")
    found = attempt("traps in HDF5", lambda: _used(kind, path))
    assert found is None or trap is _json


def test_texts_in_damaged_heaps(tmp_path: Path) -> None:
    """HDF5 alone sets aside gigabytes for the one, and walks through the other for ever."""
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "eleven here"

    def read() -> str:
        with reading(path) as file:
            return str(file.attrs["text"])

    whole = path.read_bytes()
    assert read() == "eleven here"
    heap = whole.index(b"GCOL")
    claim = whole.index((11).to_bytes(4, "little") + heap.to_bytes(8, "little"))
    free = heap + 16 + 16 + 16  # behind the heading and the one text
    for place, damage in ((claim + 3, 0x70), (free + 8, 0), (free + 9, 0), (heap + 16 + 15, 1)):
        path.write_bytes(whole[:place] + bytes([damage]) + whole[place + 1 :])
        assert attempt("damaged heaps of HDF5", read) is None or whole[place] == damage
    row = b"GCOL\1\0\0\0" + (2**20).to_bytes(8, "little") + b"\1" + bytes(7) + bytes(8)
    path.write_bytes(whole + 2**16 * row)  # a million bytes of heaps in heaps
    assert attempt("damaged heaps of HDF5", read) is None


UNSEALED = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {tests!r}]
import numpy as np
from damaged_bytes import flipped
from sealed_files import HDF5
from trial import TALLY, attempt
from wanglandau.seal import UNSEALED, _WORDS
folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(first, last):
    rng = np.random.default_rng(number)
    kind = HDF5[number % len(HDF5)]
    content = (folder / str(number % len(HDF5))).read_bytes()
    content = content.replace(_WORDS, b"X" * len(_WORDS)).replace(b"seal", b"sael")
    size = len(content)
    for _ in range(int(rng.integers(1, 4))):
        content = flipped(content, int(rng.integers(8 * size)))
    if rng.random() < 0.2:
        place = int(rng.integers(size - 8))
        content = content[:place] + rng.bytes(8) + content[place + 8 :]
    print(number, flush=True)
    path = folder / "victim"
    path.write_bytes(content)
    attempt("HDF5 without seal", lambda: kind.read(path))
    path.unlink(missing_ok=True)
print("tally", dict(TALLY["HDF5 without seal"]))
"""


def test_damage_without_seal(tmp_path: Path) -> None:
    """Files of other programs have no seal: HDF5 itself meets the damage, in a process of its own."""
    for number, kind in enumerate(HDF5):
        kind.write(tmp_path / str(number))
    here = Path(__file__).parent
    script, n = UNSEALED.format(here=str(here), tests=str(here.parent)), 2000 if LONG else 45
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "0", str(n)],
        capture_output=True, text=True, timeout=SECONDS * 30, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stdout.splitlines()[-1:], done.stderr[-2000:])
    TALLY["HDF5 without seal"].update(eval(done.stdout.splitlines()[-1].removeprefix("tally ")))
