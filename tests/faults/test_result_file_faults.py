"""F12 and F26: result files of other versions, and writers that are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from fault_counts import FaultCount, Tally, WrongResult
from forking_server import ForkingServer
from known_levels import BOND, UNLIKE_BONDS, noisy_record
from standin_campaign import CELL

import surrogate.artefact as artefact
from lsms_bridge import result_log
from surrogate.artefact import load_artefact
from surrogate.dataset import load_dataset
from wanglandau.checkpoint_file import MAGIC, read_checkpoint
from wanglandau.errors import InputError
from wanglandau.run_file import read_exact, read_run
from wanglandau.seal import sealed

GOLDEN = Path(__file__).parent / "golden"
"""Files as the first version of each format has them."""
READERS: dict[str, Callable[[str], object]] = {
    "run.h5": read_run,
    "exact.h5": read_exact,
    "model.safetensors": load_artefact,
    "data.h5": load_dataset,
}


def kill_writers(count: FaultCount, server: ForkingServer, folder: Path, number: int) -> None:
    """Kill writers of every kind of file at random instants."""
    rng = np.random.default_rng(26)
    names = list(READERS)
    for place in range(number):
        name = names[place % len(names)]
        with count.injection(f"{name}, number {place}"):
            process = server.start("result_writers:write_for_ever", [name], folder)
            time.sleep(float(rng.uniform(0.02, 0.2)))
            os.kill(process, signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL, (folder / "stderr").read_text()
            if (folder / name).exists():
                try:
                    READERS[name](str(folder / name))
                except InputError as error:
                    raise WrongResult(f"half a file: {error}") from error


def test_writers_of_result_files_are_killed(
    counted: Callable, tally: Tally, forks: ForkingServer, tmp_path: Path
) -> None:
    with counted("F26") as count:
        kill_writers(count, forks, tmp_path, tally.size(12, 300))
        assert {path.name for path in tmp_path.iterdir()} >= set(READERS), "nothing was ever written"


def test_writers_in_place_would_be_noticed(broken: Callable, forks: ForkingServer, tmp_path: Path) -> None:
    with broken("F26", "writing beside the old file, in place instead") as count:
        for place in range(5):
            with count.injection(place):
                process = forks.start("result_writers:write_in_place", ["run.h5"], tmp_path)
                time.sleep(0.1)
                os.kill(process, signal.SIGKILL)
                forks.wait()
                if (tmp_path / "run.h5").stat().st_size != 2**22:
                    raise WrongResult("half a file")


def refused(count: FaultCount, label: str, path: Path, read: Callable[[Path], object], *words: str) -> None:
    """Insist on a refusal that names the version."""
    before = path.read_bytes()
    with count.injection(label):
        try:
            read(path)
        except InputError as error:
            assert all(word in str(error) for word in words), str(error)
        else:
            raise WrongResult("read as if it were of this version")
        assert path.read_bytes() == before


def test_files_of_other_versions(counted: Callable, tmp_path: Path) -> None:
    with counted("F12") as count:
        golden_files_are_read(count)
        for version in (0, 2, 99):
            for name, read in (("run.h5", read_run), ("exact.h5", read_exact)):
                path = Path(shutil.copy(GOLDEN / name, tmp_path))
                with h5py.File(path, "a") as file:
                    file.attrs["schema"] = version
                refused(count, f"{name} {version}", path, read, f"schema {version}", "reads 1")
            path = _other_card(tmp_path, version)
            refused(count, f"artefact {version}", path, load_artefact, f"schema_version {version}", "reads 1")
            path = _other_data(tmp_path, version)
            refused(count, f"data {version}", path, load_dataset, f"schema_version is {version}", "reads 1")
            folder = tmp_path / f"log-{version}"
            shutil.copytree(GOLDEN / "log", folder)
            log = folder / result_log.LOG_NAME
            log.write_bytes(_other_heading(log.read_bytes(), version))
            refused(count, f"log {version}", log, lambda _, at=folder: _open_log(at), f"version was {version}, is 1")
            path = Path(shutil.copy(GOLDEN / "checkpoint", tmp_path))
            path.write_bytes(MAGIC[:-2] + f"{version:02d}".encode() + path.read_bytes()[len(MAGIC) :])
            refused(count, f"checkpoint {version}", path, read_checkpoint, "another version")


def golden_files_are_read(count: FaultCount) -> None:
    """Read the first version of every format, and find in it what was written."""
    with count.injection("run.h5"):
        found, written = read_run(GOLDEN / "run.h5"), noisy_record()
        np.testing.assert_array_equal(found.density.run_ln_g, written.density.run_ln_g)
        assert found.density.grid == written.density.grid and found.settings == written.settings
    with count.injection("exact.h5"):
        levels = read_exact(GOLDEN / "exact.h5").levels
        np.testing.assert_array_equal(levels.energies, BOND * np.array(list(UNLIKE_BONDS), dtype=float))
    with count.injection("checkpoint"):
        assert read_checkpoint(GOLDEN / "checkpoint").content == b"of the first version"
    with count.injection("log of energies"):
        records = list(result_log.read_records(GOLDEN / "log", CELL, {}))
        assert [(record.occupations, record.energy) for record in records] == [("00000011", -1.5)]
    shipped = Path(artefact.__file__).parent
    for path in sorted((shipped / "artefacts").glob("*-v1.safetensors")):
        with count.injection(path.name):
            load_artefact(path)
    for name in ("cuau", "fept"):
        with count.injection(f"data of {name}"):
            load_dataset(name)


def _open_log(folder: Path) -> None:
    result_log.ResultLog(folder, CELL, {}).close()


def _other_card(folder: Path, version: int) -> Path:
    whole = (Path(artefact.__file__).parent / "artefacts" / "cuau-lattice-v1.safetensors").read_bytes()
    old, new = (f'\\"schema_version\\": {number}'.encode() for number in (1, version))
    assert whole.count(old) == 1
    changed = whole.replace(old, new)
    length = int.from_bytes(whole[:8], "little") + len(new) - len(old)
    path = folder / "model.safetensors"
    path.write_bytes(sealed(length.to_bytes(8, "little") + changed[8:]))
    return path


def _other_data(folder: Path, version: int) -> Path:
    path = Path(shutil.copy(Path(artefact.__file__).parent / "data" / "cuau32-lsms.h5", folder / "data.h5"))
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = version
    path.write_bytes(sealed(path.read_bytes()))
    return path


def _other_heading(log: bytes, version: int) -> bytes:
    heading, rest = log.split(b"\n", 1)
    value = json.loads(heading[9:])
    value["header"]["version"] = version
    body = json.dumps(value).encode()
    return b"%08x " % zlib.crc32(body) + body + b"\n" + rest
