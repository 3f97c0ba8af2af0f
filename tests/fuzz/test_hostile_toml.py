"""System files, pair models, LSMS configurations and structure files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from damaged_bytes import damaged
from hostile_values import documents
from hypothesis import given
from hypothesis import strategies as st
from toml_text import toml_files
from trial import attempt, check, inputs

from lsms_bridge.configuration import load_configuration
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.pair_model import from_argument
from wanglandau.systems import System, load_system

SYSTEM: dict[str, Any] = {
    "species": ["Cu", "Au"], "structure": "fcc", "lattice_constant": 3.87, "repeat": [1, 1, 2], "composition": 3,
}  # fmt: skip
PAIR: dict[str, Any] = {
    "unlike_bond_energies": [-50.0, 10], "units": "meV", "species": ["Cu", "Au"], "reference_energies": [0.0, 1.5],
}  # fmt: skip
BRIDGE: dict[str, Any] = {
    "preset": "cuau",
    "folder": "runs",
    "workers": 2,
    "known": "cuau",
    "launcher": {"executable": "lsms", "mpi": ["srun", "-n", "2"], "threads": 1, "time_limit": 60, "arguments": ["-x"]},
    "parameters": {"lmax": 3, "moments": {"Fe": 2.0}, "electrons": {"Ni": {"core": 10, "semicore": 8, "valence": 10}}},
    "effort": {"retries": 3, "keep": "outputs"},
}
CIF = """data_x
_cell_length_a 3.87
_cell_length_b 3.87
_cell_length_c 3.87
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 Cu 0.0 0.0 0.0
Au1 Au 0.5 0.5 0.5
"""
STRUCTURES = {
    "cell.cif": CIF,
    "cell.vasp": "CuAu\n1.0\n3.0 0 0\n0 3.0 0\n0 0 3.0\nCu Au\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
    "cell.xyz": '2\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"\nCu 0 0 0\nAu 1.5 1.5 1.5\n',
    "cell.xsf": "CRYSTAL\nPRIMVEC\n3 0 0\n0 3 0\n0 0 3\nPRIMCOORD\n2 1\n29 0 0 0\n79 1.5 1.5 1.5\n",
}
SMALL = System("x", Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 1)), 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toml")


@inputs(120, 12_000)
@given(content=toml_files(documents(SYSTEM, ("structure_file", "name")), SYSTEM))
def test_system_file(folder: Path, content: bytes) -> None:
    (folder / "own.toml").write_bytes(content)
    found = attempt("system file", lambda: load_system(str(folder / "own.toml")))
    if found is not None:
        check("system file", found.lattice.n_sites < 2_000_000 and 0 <= found.composition <= found.lattice.n_sites)
        check("system file", "/" not in found.name and found.name.isprintable() and found.name[0] not in ".-")


@inputs(120, 12_000)
@given(content=toml_files(documents(PAIR), PAIR))
def test_pair_model(folder: Path, content: bytes) -> None:
    (folder / "pair.toml").write_bytes(content)
    found = attempt("pair model", lambda: from_argument(str(folder / "pair.toml"), SMALL))
    if found is not None:
        check("pair model", bool(abs(found.unlike_bond_energies).max() < 2**11))


@inputs(120, 12_000)
@given(content=toml_files(documents(BRIDGE), BRIDGE), system=st.sampled_from(["cuau", "fept", "other"]))
def test_bridge_configuration(folder: Path, content: bytes, system: str) -> None:
    (folder / "lsms.toml").write_bytes(content)
    found = attempt("LSMS configuration", lambda: load_configuration(folder / "lsms.toml", system))
    if found is not None:
        words = [found.launcher.executable, *found.launcher.mpi, *found.launcher.arguments]
        check("LSMS configuration", all(isinstance(word, str) and word and "\0" not in word for word in words))
        check("LSMS configuration", found.folder.is_absolute() and 1 <= found.workers)


@inputs(60, 2500)
@given(data=st.data(), name=st.sampled_from(sorted(STRUCTURES)))
def test_structure_file(folder: Path, data: st.DataObject, name: str) -> None:
    (folder / name).write_bytes(data.draw(damaged(STRUCTURES[name].encode())))
    (folder / "s.toml").write_text(f'species = ["Cu", "Au"]\nstructure_file = "{name}"\n')
    found = attempt("structure file", lambda: load_system(str(folder / "s.toml")))
    if found is not None and found.lattice.n_sites <= 64:
        attempt("shells of a structure", lambda: found.lattice.shells(2))


NAMES = ["-", "/dev/zero", "x.bundle", "x.py", "x.traj", "*.cif", "pipe.cif", "n\\u0000.cif"]


@pytest.mark.parametrize("name", NAMES)
def test_no_other_structure_files(folder: Path, name: str) -> None:
    if name == "pipe.cif":
        os.mkfifo(folder / name)
    (folder / "o.toml").write_text(f'species = ["Cu", "Au"]\nstructure_file = "{name}"\n')
    with pytest.raises(InputError):
        load_system(str(folder / "o.toml"))
