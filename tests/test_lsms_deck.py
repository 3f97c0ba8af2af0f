"""Decks say what was asked, to a real Lua interpreter; parameters and configuration files are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lupa
import numpy as np
import pytest

from lsms_bridge.configuration import BridgeConfiguration, load_configuration, load_preset, make_parameters
from lsms_bridge.deck import Start, write_deck
from lsms_bridge.ladder import rungs
from lsms_bridge.parameters import Electrons, LsmsParameters
from surrogate.dataset import load_dataset
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import System

SCRATCH = Start(0.05, 60)


def run_lua(text: str) -> Any:
    lua = lupa.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    lua.execute(text)
    return lua.globals()


def preset(name: str) -> LsmsParameters:
    return make_parameters(load_preset(name))


@pytest.fixture
def row() -> np.ndarray:
    return np.random.default_rng(3).permuted(np.repeat([0, 1], 16)).astype(np.int8)


def test_lua_reads_what_was_asked(cuau: System, row: np.ndarray) -> None:
    deck = run_lua(write_deck(cuau.lattice, row, preset("cuau"), SCRATCH))
    assert (deck.num_atoms, deck.nspin, deck.mtasa, deck.use_voronoi, deck.pot_in_type) == (32, 1, 1, 0, -1)
    assert (deck.nscf, deck.rmsTolerance, deck.energyTolerance) == (60, 4e-6, 2e-10)
    gentler = run_lua(write_deck(cuau.lattice, row, preset("cuau"), replace(SCRATCH, margin=0.1)))
    assert (gentler.rmsTolerance, gentler.energyTolerance) == (4e-7, 2e-11)
    assert list(deck.xcFunctional.values()) == [0, 1]
    assert (deck.iprpts, deck.h_step, deck.linearSolver, deck.n_init_iterations) == (640, 0.02, 0x2005, None)
    assert dict(deck.mixing[1]) == {"quantity": "potential", "algorithm": "broyden", "alpha": 0.05}
    assert deck.numberOfMixQuantities == 1
    assert (deck.energyContour.npts, deck.energyContour.ebot, deck.energyContour.etop) == (12, -0.4, 0)
    cell = np.array([list(deck.bravais[axis].values()) for axis in (1, 2, 3)])
    np.testing.assert_allclose(cell, cuau.lattice.cell, atol=1e-11)


def test_every_site_has_every_key(cuau: System, row: np.ndarray) -> None:
    deck = run_lua(write_deck(cuau.lattice, row, preset("cuau"), SCRATCH))
    assert len(deck.site) == 32
    for index in range(32):
        site = deck.site[index + 1]
        symbol = "CuAu"[2 * row[index] : 2 * row[index] + 2]
        assert (site.atom, site.Z) == ((symbol, 29) if symbol == "Cu" else (symbol, 79))
        assert site.Zc + site.Zs + site.Zv == site.Z
        assert (site.lmax, site.rLIZ, site.rad) == (3, 8.0, 2)
        assert len(site.rsteps) == 4 and list(site.evec.values()) == [0, 0, 1]
        np.testing.assert_allclose(list(site.pos.values()), cuau.lattice.positions[index], atol=1e-11)
        assert site.mag_mom is None and site.pot_in_idx is None


def test_spins_and_starting_potentials(fept: System, row: np.ndarray) -> None:
    start = Start(0.1, 100, tuple(range(31, -1, -1)), moment_scale=2.0)
    deck = run_lua(write_deck(fept.lattice, row, preset("fept"), start))
    assert (deck.nspin, deck.pot_in_type, deck.potential_file_in, deck.n_init_iterations) == (2, 1, "v", 0)
    assert [deck.site[index + 1].pot_in_idx for index in range(32)] == list(range(31, -1, -1))
    assert {site.atom: site.mag_mom for site in deck.site.values()} == {"Fe": 5.0, "Pt": 0.6}


def test_muffin_tins_have_their_own_dialect(cuau: System, row: np.ndarray) -> None:
    deck = run_lua(write_deck(cuau.lattice, row, replace(preset("cuau"), program="mt"), SCRATCH))
    assert (deck.mtasa, deck.use_voronoi) == (0, None)
    assert dict(deck.mixing[1]) == {"quantity": "potential", "algorithm": "broyden", "mixing_parameter": 0.05}


@pytest.mark.parametrize("system", ["cuau", "fept"])
def test_presets_are_the_settings_of_the_shipped_data(system: str) -> None:
    parameters, made = preset(system), load_dataset(system)
    settings = json.loads(made.attributes["settings"])
    assert (parameters.lmax, parameters.liz_radius) == (settings["lmax"], settings["rLIZ"])
    assert (parameters.contour_points, parameters.contour_bottom) == (settings["npts"], settings["ebot"])
    assert (parameters.charge_tolerance, parameters.energy_tolerance) == (settings["rms_tol"], settings["e_tol"])
    assert (parameters.mesh_step, parameters.linear_solver) == (settings["h_step"], settings["linear_solver"])
    assert parameters.n_spin == made.attributes["nspin"] and settings["extra"] == f"iprpts={parameters.mesh_points}"
    assert parameters.start_fermi_energy == settings["efermi"] and parameters.moments == settings.get("mag", {})


@pytest.mark.parametrize("program", ["asa", "mt"])
def test_no_text_leaves_its_quotes(cuau: System, row: np.ndarray, program: Any) -> None:
    parameters = replace(preset("cuau"), program=program)
    for stem in ('v"; os.execute("x")', "../v", "v\n", "", "x" * 101):
        with pytest.raises(InputError, match="potential name"):
            write_deck(cuau.lattice, row, parameters, Start(0.1, 5, (0,) * 32, stem))
    hostile = Lattice(("Cu", "Au"), cuau.lattice.cell, cuau.lattice.positions, 'x"] os.exit() --')
    assert run_lua(write_deck(hostile, row, parameters, SCRATCH)).num_atoms == 32


def test_same_arguments_same_bytes(cuau: System, row: np.ndarray) -> None:
    decks = {write_deck(cuau.lattice, row, preset("cuau"), SCRATCH) for _ in range(2)}
    assert len(decks) == 1


def test_deck_refuses_what_does_not_fit(cuau: System, row: np.ndarray) -> None:
    with pytest.raises(InputError, match="31"):
        write_deck(cuau.lattice, row[:31], preset("cuau"), SCRATCH)
    with pytest.raises(InputError, match="3 starting potentials are given for 32 sites"):
        write_deck(cuau.lattice, row, preset("cuau"), Start(0.1, 5, (0, 1, 2)))
    nickel = Lattice(("Ni", "Au"), cuau.lattice.cell, cuau.lattice.positions)
    with pytest.raises(InputError, match=r"electrons of Ni is not known.*parameters\.electrons\.Ni"):
        write_deck(nickel, row, preset("cuau"), SCRATCH)
    known = replace(preset("cuau"), electrons={"Ni": Electrons(10, 8, 10)})
    assert run_lua(write_deck(nickel, row, known, SCRATCH)).site[1].Z in (28, 79)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lmax": 9}, "lmax is 9; give a number from 0 to 8"),
        ({"lmax": 3.0}, "lmax is 3.0; give a whole number"),
        ({"n_spin": 3}, "n_spin is 3; choose 1 or 2"),
        ({"program": "asa;rm"}, "choose asa or mt"),
        ({"charge_tolerance": 0.0}, "charge_tolerance is 0.0"),
        ({"energy_tolerance": float("nan")}, "energy_tolerance is nan"),
        ({"mixing_start": True}, "mixing_start is True"),
        ({"functional": ()}, "functional is"),
        ({"liz_steps": (1.0, 2.0)}, "liz_steps"),
        ({"moments": {"Xx": 1.0}}, "no chemical symbol"),
        ({"moments": {"Fe": 1e9}}, r"moments\.Fe"),
        ({"electrons": {"Cu": Electrons(10, 8, 10)}}, "add up to 28; its nuclear charge is 29"),
    ],
)
def test_parameters_refuse(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LsmsParameters(**values)


def test_physics_is_told_from_convergence() -> None:
    base = LsmsParameters()
    assert replace(base, mixing_start=0.01, max_iterations=7, linear_solver=0).physics_digest == base.physics_digest
    assert replace(base, liz_radius=9.0).physics_digest != base.physics_digest


def test_ladder_is_gentler_on_every_rung() -> None:
    for n_spin in (1, 2):
        starts = [rung.start(LsmsParameters(n_spin=n_spin), ()) for rung in rungs(n_spin)]
        assert [start.iterations for start in starts] == sorted(start.iterations for start in starts)
        assert starts[0].mixing > starts[-1].mixing
    assert rungs(2)[-1].moments != 1.0


def read(tmp_path: Path, text: str, system: str = "cuau") -> BridgeConfiguration:
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    return load_configuration(tmp_path / "c.toml", system)


def test_configuration_file(tmp_path: Path) -> None:
    text = (
        'folder = "deep/down"\nworkers = 3\nknown = "cuau"\n'
        '[launcher]\nexecutable = "lsms_asa"\nmpi = ["srun", "-n", "4"]\ntime_limit = 60\n'
        "[parameters]\nlmax = 2\n[parameters.electrons.Ni]\ncore = 10\nsemicore = 8\nvalence = 10\n"
        "[effort]\nretries = 1\n"
    )
    found = read(tmp_path, text)
    assert (found.parameters.lmax, found.parameters.n_spin, found.workers, found.effort.retries) == (2, 1, 3, 1)
    assert found.launcher.mpi == ("srun", "-n", "4") and found.folder == tmp_path.resolve() / "deep" / "down"
    assert found.parameters.electrons["Ni"] == Electrons(10, 8, 10)
    known = found.known_results()
    assert known is not None and len(known) == len(load_dataset("cuau"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "executable is missing"),
        ("[launcher]\n", "executable is missing"),
        ('wokers = 1\n[launcher]\nexecutable = "x"\n', "unknown key 'wokers' in the file"),
        ('[launcher]\nexecutable = "x"\ntimelimit = 1\n', r"unknown key 'timelimit' in \[launcher\]"),
        ('[launcher]\nexecutable = "x"\n[parameters]\nlmaxx = 1\n', r"unknown key 'lmaxx' in \[parameters\]"),
        ('workers = 0\n[launcher]\nexecutable = "x"\n', "workers is 0"),
        ('workers = true\n[launcher]\nexecutable = "x"\n', "workers is True"),
        ('[launcher]\nexecutable = ""\n', "cannot be a word of a command"),
        ('[launcher]\nexecutable = "x"\nmpi = ["a\\u0000b"]\n', "cannot be a word of a command"),
        ('[launcher]\nexecutable = "x"\nenvironment = ["A=B"]\n', "environment names 'A=B'"),
        ('[launcher]\nexecutable = "x"\ntime_limit = inf\n', "time_limit is inf"),
        ('preset = "agau"\n[launcher]\nexecutable = "x"\n', "preset 'agau' is not known"),
        ('folder = ""\n[launcher]\nexecutable = "x"\n', "folder is ''"),
        ('[launcher]\nexecutable = "x"\n[effort]\nkeep = "some"\n', "choose nothing, outputs or everything"),
        ('[launcher]\nexecutable = "x"\n[effort]\nretries = 99\n', "retries is 99"),
        ('[launcher]\nexecutable = "x"\n[parameters]\nmoments = 3\n', "moments is 3"),
        ('[launcher]\nexecutable = "x"\n[parameters.electrons]\nCu = 3\n', "electrons of Cu are 3"),
        ('[launcher]\nexecutable = "x"\n[parameters.electrons.Cu]\ncore = 3\n', "semicore, valence is missing"),
        ("launcher = 3\n", "launcher is 3; give a table"),
        ("a = \n", "cannot read"),
    ],
)
def test_configuration_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        read(tmp_path, text)
    assert "c.toml" in str(refusal.value)
