"""A small density of states that is killed and gone on with, again and again."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from fault_counts import WrongResult
from forking_server import ForkingServer
from warm_kernels import ROUNDS_FILE

from wanglandau.checkpoint_file import checkpoint_exists, checkpoint_of
from wanglandau.errors import InputError
from wanglandau.run_checkpoint import read_kept

PAIR = 'unlike_bond_energies = [-50.0, 12.0]\nunits = "meV"\n'
OUT = "run.h5"
TRIALS = 1_000_000
WALKERS, RUNS = 2, 2
WORDS = ["dos", "cuau", "--repeat", "2", "1", "1", "--oracle", "pair:pair.toml", "--runs", str(RUNS), "--walkers"]
WORDS += [str(WALKERS), "--threads", "1", "--precision", "1e-9", "--max-trials", str(TRIALS), "--seed", "3"]
WORDS += ["--out", OUT, "--checkpoint-interval", "0.02"]
FINISHED = (0, 3)


def contents(path: Path) -> dict[str, Any]:
    """Return all that a result file holds but times and the record of interruptions."""
    found: dict[str, Any] = {}

    def take(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            value = item[()]
            if isinstance(value, bytes):
                found[name] = json.loads(value)
            else:
                found[name] = value.tolist() if value.dtype.kind == "O" else (value.tobytes(), value.shape)

    with h5py.File(path) as file:
        file.visititems(take)
    found["diagnostics"] = {
        name: value for name, value in found["diagnostics"].items() if name not in ("continuations", "duration_s")
    }
    return found


def check_same(found: Path, expected: dict[str, Any]) -> None:
    """Insist on the same result, bit for bit."""
    got = contents(found)
    different = [name for name in {*expected, *got} if expected.get(name) != got.get(name)]
    if different:
        raise WrongResult(f"other than uninterrupted: {', '.join(sorted(different))}")


@dataclass
class KilledRun:
    """A run in a folder of its own.

    Attributes
    ----------
    folder : Path
    server : ForkingServer
    words : list of str
        Further options.
    seconds : float
        What the uninterrupted run took.
    expected : dict
        Its result.
    """

    folder: Path
    server: ForkingServer
    words: list[str] = field(default_factory=list)
    seconds: float = 0.0
    expected: dict[str, Any] = field(default_factory=dict)

    def fresh(self, name: str) -> KilledRun:
        """Make another folder for the same run."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "pair.toml").write_text(PAIR)
        return KilledRun(folder, self.server, self.words, self.seconds, self.expected)

    def learn(self) -> None:
        """Run without interruption, for what has to come out."""
        whole = self.fresh("uninterrupted")
        begin = time.monotonic()
        code = whole.go()
        self.seconds = time.monotonic() - begin
        assert code in FINISHED, whole.said()
        self.expected = contents(whole.out)

    @property
    def out(self) -> Path:
        """The result file."""
        return self.folder / OUT

    def said(self) -> str:
        """Return the end of what was printed."""
        return (self.folder / "stderr").read_text()[-2000:]

    def start(self, *more: str, resume: bool = True, die_at: int = 0, largest_file: int = 0) -> int:
        """Start the command; return the process."""
        words = [*WORDS, *self.words, *more, *(["--resume"] if resume else [])]
        (self.folder / ROUNDS_FILE).unlink(missing_ok=True)
        return self.server.start("warm_kernels:dos", [words, die_at, largest_file], self.folder)

    def go(self, *more: str, **settings: Any) -> int:
        """Run the command; return its exit status."""
        self.start(*more, **settings)
        return self.server.wait()

    def send(self, process: int, number: signal.Signals) -> None:
        """Send a signal, unless the process has just ended."""
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass

    def rounds(self) -> int:
        """Return the rounds made by the process that was started last."""
        try:
            return int(struct.unpack("<Q", (self.folder / ROUNDS_FILE).read_bytes())[0])
        except (OSError, struct.error):
            return 0

    def kept_rounds(self) -> int:
        """Return the rounds of the checkpoint, 0 if there is none."""
        checkpoint = checkpoint_of(self.out)
        try:
            return int(read_kept(checkpoint).progress["rounds"]) if checkpoint_exists(checkpoint) else 0
        except InputError as error:
            raise AssertionError(f"no checkpoint can be read: {error}") from error

    def lost_trials(self, before: int) -> float:
        """Return how many trials have to be made again after a kill.

        Parameters
        ----------
        before : int
            Rounds of the checkpoint that the killed process began with.
        """
        made = max(self.rounds(), before)
        return max(0, made - self.kept_rounds()) * WALKERS * RUNS

    def trials_per_second(self, trials: int) -> float:
        """Run without interruption and return the pace between the first of so many trials and the last."""
        one, total = self.fresh("paced"), trials // (WALKERS * RUNS)
        one.start()
        seen = [(time.monotonic(), 0)]
        while seen[-1][1] < total and time.monotonic() < seen[0][0] + 60:
            time.sleep(0.001)
            seen.append((time.monotonic(), one.rounds()))
        assert one.server.wait() in FINISHED, one.said()
        (begin, first), (end, last) = next(look for look in seen if look[1]), seen[-1]
        return (last - first) * WALKERS * RUNS / (end - begin)

    def finish(self) -> None:
        """Run to the end and insist on the result of the uninterrupted run."""
        code = self.go()
        assert code in FINISHED, self.said()
        check_same(self.out, self.expected)


def random_instant(rng: np.random.Generator, seconds: float) -> float:
    """Draw an instant of a run, its beginning and end included."""
    return float(rng.uniform(0.0, seconds))
