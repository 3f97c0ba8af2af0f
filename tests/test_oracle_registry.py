"""Oracles are found by name, and one that is unknown, unfit or lacks a package is refused in one line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from wanglandau import oracle_registry
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle_registry import load_oracle, oracle_names
from wanglandau.systems import System, load_system


@dataclass(frozen=True)
class FlatOracle:
    """Gives every configuration the same energy."""

    lattice: Lattice
    identity: str
    reference_energies = np.zeros(2)
    invariant = True

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return np.zeros(len(occupations))


def flat(argument: str, system: System) -> FlatOracle:
    return FlatOracle(system.lattice, argument)


def stubborn(argument: str, system: System) -> FlatOracle:
    return FlatOracle(load_system("fept").lattice, argument)


def formless(argument: str, system: System) -> object:
    return object()


def without_torch(argument: str, system: System) -> FlatOracle:
    raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")


def defective(argument: str, system: System) -> FlatOracle:
    raise ModuleNotFoundError("No module named 'surrogat'", name="surrogat")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("flat", "stubborn", "formless", "without_torch", "defective", "not_there")
    found = EntryPoints(EntryPoint(name, f"{__name__}:{name}", oracle_registry.GROUP) for name in names)
    monkeypatch.setattr(oracle_registry, "entry_points", lambda **selection: found.select(**selection))


def test_shipped_oracles_are_announced() -> None:
    assert {"surrogate", "xgboost", "pair", "ase", "lsms"} <= set(oracle_names())


@pytest.mark.usefixtures("installed")
class TestLoading:
    @pytest.mark.parametrize(
        ("specification", "argument"),
        [("flat", ""), ("flat:", ""), ("flat:model.toml", "model.toml"), ("flat:C:/a b", "C:/a b")],
    )
    def test_factory_gets_what_follows_the_first_colon(self, cuau: System, specification: str, argument: str) -> None:
        oracle = load_oracle(specification, cuau)
        assert oracle.identity == argument
        assert oracle.lattice is cuau.lattice

    @pytest.mark.parametrize(
        ("specification", "message"),
        [
            ("flatt", r"'flatt' is not known; installed oracles are defective, flat, formless"),
            ("", r"'' is not known"),
            ("stubborn", r"is for Fe-Pt on bcc.*\(32 sites\), not for the 32 sites of Cu-Au in system cuau"),
            ("formless", r"made a object, which lacks lattice, reference_energies, identity, invariant, energies"),
            ("without_torch", r"needs torch.*pip install 'alloy-wanglandau\[surrogate\]'"),
        ],
    )
    def test_unfit_oracle_is_refused(self, cuau: System, specification: str, message: str) -> None:
        with pytest.raises(InputError, match=message) as refusal:
            load_oracle(specification, cuau)
        assert "\n" not in str(refusal.value)

    def test_other_missing_modules_are_defects(self, cuau: System) -> None:
        with pytest.raises(ModuleNotFoundError, match="surrogat"):
            load_oracle("defective", cuau)

    def test_repeated_cell_needs_an_oracle_for_it(self, cuau: System) -> None:
        larger = load_system("cuau", (3, 2, 2))
        assert load_oracle("flat", larger).lattice.fingerprint != cuau.lattice.fingerprint


def test_two_packages_with_one_name_are_refused(cuau: System, monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints(EntryPoint("flat", f"{module}:flat", oracle_registry.GROUP) for module in ("one", "two"))
    monkeypatch.setattr(oracle_registry, "entry_points", lambda **selection: found.select(**selection))
    with pytest.raises(InputError, match="provided by one:flat and two:flat; uninstall one"):
        load_oracle("flat", cuau)
