"""Lists of configurations, text data, outputs of LSMS, the result log and JSON results."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import pytest
from damaged_bytes import damaged, one_bit
from hostile_values import documents, values
from hypothesis import given
from hypothesis import strategies as st
from trial import attempt, check, inputs

from lsms_bridge.result_log import LOG_NAME, Record, ResultLog, read_records
from lsms_bridge.run_folders import read_runs
from lsms_bridge.selection import read_configurations
from lsms_bridge.statistics import campaign_statistics
from surrogate.kept_results import read_json, write_json
from surrogate.text_configuration import TextReader
from surrogate.text_dataset import read_text_dataset
from wanglandau.lattice import Lattice
from wanglandau.systems import System

RUNS = Path(__file__).parents[1] / "lsms_runs"
CELL = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 1))
LISTED = b"# two\n0011\n1100\n\n0110\n"
RECORD = Record("0011", -1.5, -0.5, 0.5, (0.0,) * 4, (0.0,) * 4, 12, 1e-6, 1e-6, 1e-6, 30.0, "test", folder="runs/x")
ATTEMPT = {"rung": "first", "failure": "", "message": "", "seconds": 3.0}
RESULTS: dict[str, Any] = {"reports": [{"rmse": 0.25, "n": 3}], "details": {"seconds": 1.5}, "name": "x"}


def text_files() -> dict[str, bytes]:
    """Make a folder of published text files of the small cell: pure, pure and mixed."""
    made = {}
    for row in ("0000", "1111", "0101"):
        numbers = [79 if kind == "1" else 29 for kind in row]
        energy = sum(-38000.0 if number == 79 else -3300.0 for number in numbers)
        atoms = [
            f"{number} {place} {x:.6f} {y:.6f} {z:.6f} {number}.01 0.0" + " 0.0" * 11
            for place, (number, (x, y, z)) in enumerate(zip(numbers, CELL.positions, strict=True))
        ]
        made[f"{row}.txt"] = "\n".join([f"{energy} -1.0 0.5", *atoms, ""]).encode()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


@inputs(60, 12_000)
@given(content=damaged(LISTED))
def test_list_of_configurations(folder: Path, content: bytes) -> None:
    (folder / "list.txt").write_bytes(content)
    found = attempt("list of configurations", lambda: read_configurations(folder / "list.txt", CELL))
    if found is not None:
        lines = [line.strip() for line in content.decode().splitlines()]
        said = [line for line in lines if line and not line.startswith("#")]
        check("list of configurations", ["".join(map(str, row)) for row in found.tolist()] == said)


@inputs(60, 6000)
@given(content=damaged(text_files()["0101.txt"]))
def test_text_configuration(folder: Path, content: bytes) -> None:
    (folder / "one.txt").write_bytes(content)
    found = attempt("text configuration", lambda: TextReader(CELL).read(folder / "one.txt"))
    if found is not None:
        head = [float(word) for word in content.decode().split("\n")[0].split()]
        check("text configuration", [found.energy, found.band_energy, found.fermi_energy] == head)
        rows = [line.split() for line in content.decode().rstrip().split("\n")[1:]]
        check("text configuration", sorted(float(row[6]) for row in rows) == sorted(found.moment.tolist()))


@inputs(20, 2500)
@given(data=st.data())
def test_text_data_set(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    files = text_files()
    place = tmp_path_factory.mktemp("texts")
    victim = data.draw(st.sampled_from(sorted(files)))
    for name, content in files.items():
        (place / name).write_bytes(data.draw(damaged(content)) if name == victim else content)
    found = attempt("text data set", lambda: read_text_dataset(place, System("own", CELL, 2)))
    if found is not None:
        check("text data set", len(found) == 3 and bool((abs(found.mixing_energy) < 4.0).all()))


@inputs(60, 8000)
@given(data=st.data(), run=st.sampled_from(["spheres", "spheres-spin", "tins", "diverged", "frozen", "bad-mixing"]))
def test_outputs_of_lsms(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, run: str) -> None:
    place = tmp_path_factory.mktemp("run")
    files = {path.name: path.read_bytes() for path in (RUNS / run).iterdir()}
    victim = data.draw(st.sampled_from(sorted(files)))
    for name, content in files.items():
        (place / name).write_bytes(data.draw(damaged(content)) if name == victim else content)
    lattice = data.draw(st.sampled_from(LATTICES))
    found = attempt("outputs of LSMS", lambda: read_runs([place], lattice)[0])
    if found is not None and found.result is not None:
        energy = float((place / "info_evec_out").read_text().split()[0])
        check("outputs of LSMS", found.result.configuration.energy == energy and math.isfinite(energy))
        last = (place / "k.out").read_text().splitlines()[-1].split()
        check("outputs of LSMS", abs(float(last[1]) - energy) <= 1e-6)


LATTICES = [Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 1)), Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (1, 1, 1))]


def log_with(folder: Path, lines: list[bytes]) -> None:
    """Write a log of right heading and these bodies with right checksums."""
    (folder / LOG_NAME).unlink(missing_ok=True)
    ResultLog(folder, CELL, {"lmax": 3}).close()
    with open(folder / LOG_NAME, "ab") as file:
        for line in lines:
            file.write(b"%08x " % zlib.crc32(line) + line + b"\n")


@inputs(60, 8000)
@given(
    found=documents({**RECORD.__dict__, "charge": [0.0] * 4, "moment": [0.0] * 4, "attempts": [ATTEMPT], "remarks": []})
)
def test_record_of_hostile_values(folder: Path, found: dict[str, Any]) -> None:
    log_with(folder, [json.dumps({"record": found}).encode("ascii")])

    def read() -> Any:
        records = read_records(folder, CELL, {"lmax": 3})
        return records, campaign_statistics(records, CELL.n_sites), [record.reason for record in records]

    said = attempt("result log, values", read)
    if said is not None:
        check("result log, values", len(said[0]) <= 1 and all(len(record.occupations) == 4 for record in said[0]))


@inputs(60, 8000)
@given(data=st.data())
def test_damaged_log(folder: Path, data: st.DataObject) -> None:
    log_with(folder, [json.dumps({"record": RECORD.__dict__}).encode()])
    whole = (folder / LOG_NAME).read_bytes()
    (folder / LOG_NAME).write_bytes(data.draw(damaged(whole)))
    found = attempt("result log, damaged", lambda: read_records(folder, CELL, {"lmax": 3}))
    if found is not None:
        check("result log, damaged", found in ([], [RECORD]))


@inputs(60, 8000)
@given(data=st.data())
def test_results_in_json(folder: Path, data: st.DataObject) -> None:
    file = folder / "results.json"
    write_json(file, RESULTS)
    content = data.draw(one_bit(file.read_bytes()) | damaged(file.read_bytes()))
    file.write_bytes(content)
    found = attempt("JSON results, damaged", lambda: read_json(file))
    if found is not None:
        check("JSON results, damaged", found == RESULTS or b"alloy-wanglandau seal" not in content)


@inputs(30, 4000)
@given(found=values)
def test_any_json(folder: Path, found: Any) -> None:
    file = folder / "any.json"
    file.write_text(json.dumps(found))
    attempt("JSON results, values", lambda: read_json(file, "reports"))
    file.write_text("[" * 100_000)
    attempt("JSON results, values", lambda: read_json(file))
