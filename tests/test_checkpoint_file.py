"""Checkpoint files: two whole generations, nothing damaged is ever read, state comes back bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from wanglandau.checkpoint_file import previous_of, read_checkpoint, remove_checkpoint, write_checkpoint
from wanglandau.errors import InputError
from wanglandau.interruption import interruptible
from wanglandau.kernels import BIN, WALKER
from wanglandau.replica_exchange import Exchange, Layout
from wanglandau.run_lock import locked
from wanglandau.state_tree import pack, unpack
from wanglandau.walkers import Walkers, Window


def test_the_newer_generation_is_read_and_the_older_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.h5.checkpoint"
    write_checkpoint(path, b"first", 1)
    write_checkpoint(path, b"second", 2)
    assert read_checkpoint(path).content == b"second"
    assert sorted(found.name for found in tmp_path.iterdir()) == [path.name, previous_of(path).name]
    path.unlink()
    assert read_checkpoint(path).content == b"first"


def test_sequence_numbers_decide_not_clocks(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, b"first", 1)
    write_checkpoint(path, b"second", 2)
    os.utime(path, (0, 0))
    assert read_checkpoint(path).content == b"second"
    os.replace(path, tmp_path / "kept")
    os.replace(previous_of(path), path)
    os.replace(tmp_path / "kept", previous_of(path))
    assert read_checkpoint(path).content == b"second"


def test_every_truncation_and_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, b"older", 1)
    write_checkpoint(path, bytes(range(64)), 2)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = read_checkpoint(path)
        assert found.content == b"older" and str(path) in found.warning
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert read_checkpoint(path).content == b"older"


def test_two_damaged_generations_are_named_and_left(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"nonsense")
    previous_of(path).write_bytes(b"")
    with pytest.raises(InputError, match=r"c ends after 8 bytes; .*c\.prev ends after 0 bytes"):
        read_checkpoint(path)
    assert path.read_bytes() == b"nonsense"


def test_removing_takes_leftovers_of_killed_writers_along(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, b"first", 1)
    (tmp_path / ".c.0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / ".c.notes.tmp").write_bytes(b"someone else's")
    remove_checkpoint(path)
    assert [found.name for found in tmp_path.iterdir()] == [".c.notes.tmp"]


def test_state_comes_back_bit_for_bit() -> None:
    records = np.zeros(3, WALKER)
    records["energy"] = [1.0, np.nan, -np.inf]
    walkers = Walkers(True, np.ones((3, 4), np.int8), np.zeros((3, 4), np.int32), records)
    exchange = Exchange(Layout(2, 3, 1), 5, step=9)
    exchange.tried[0] = 7
    shared = np.arange(6.0).reshape(2, 3)[:, ::2]
    state = {
        "walkers": walkers,
        "exchange": exchange,
        "window": Window(-np.inf, 2.0),
        "found": {b"\x00\x01": None, 3: (1, 2.5, None)},
        "twice": [shared, shared],
        "none": np.zeros((0, 5), BIN),
        "tenth": np.float64(0.1),
        "rare": np.eye(200, dtype=np.int64)[:, :-3] * np.arange(-3, 194),
    }
    assert len(pack(state)) < state["rare"].nbytes / 10
    found = unpack(pack(state), [Walkers, Exchange, Layout, Window])
    assert found["walkers"].records.dtype == WALKER
    assert found["walkers"].records.tobytes() == records.tobytes()
    assert found["exchange"].step == 9 and found["exchange"].tried.tolist() == [7, 0]
    assert (found["window"], found["found"], found["tenth"]) == (state["window"], state["found"], 0.1)
    assert found["twice"][0] is found["twice"][1] and np.array_equal(found["twice"][0], shared)
    assert found["none"].shape == (0, 5) and found["none"].dtype == BIN
    assert found["rare"].dtype == np.int64 and np.array_equal(found["rare"], state["rare"])
    found["rare"][0, 0] = 1
    found["twice"][0][:] = 0.0  # arrays may be written to


def test_state_makes_no_class_that_was_not_named() -> None:
    with pytest.raises(InputError, match="Window, which is not expected"):
        unpack(pack([Window(0.0, 1.0)]), [Walkers])
    with pytest.raises(InputError, match="another form"):
        unpack(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", [])
    with pytest.raises(TypeError, match="may not hold object"):
        pack({"what": object()})


def test_a_second_writer_is_refused_and_a_dead_one_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "run.h5.lock"
    code = (
        "import os, signal; from pathlib import Path; from wanglandau.run_lock import lock_file\n"
        f"lock_file(Path({str(lock)!r}), 'it'); print('held', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=f"run.h5 is in use by process {holder.pid} on"), locked(lock, "run.h5"):
            pass
        holder.kill()
        holder.wait()
    assert lock.exists()  # the dead left it
    with locked(lock, "run.h5"), pytest.raises(InputError, match=f"process {os.getpid()}"), locked(lock, "run.h5"):
        pass
    assert not lock.exists()


def test_a_signal_asks_once_and_a_second_one_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interruptible() as interruption:
            told: list[str] = []
            interruption.on_request.append(lambda: told.append("end"))
            assert not interruption.due()
            os.kill(os.getpid(), signal.SIGINT)
            assert interruption.due() and interruption.reason == "signal SIGINT"
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert told == ["end"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_wall_time_leaves_time_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("wanglandau.interruption.time", SimpleNamespace(monotonic=lambda: now[0]))
    with interruptible(1000.0) as interruption:
        now[0] += 939.0
        assert not interruption.due()
        interruption.checkpoint_time = 30.0
        assert interruption.due()
        assert "wall time of 1000 s" in interruption.reason
