"""The ASE adapter: effective-medium theory for Cu-Au, and calculators that misbehave."""

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from wanglandau.ase_oracle import AseOracle, from_argument
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import EnergyOracle
from wanglandau.systems import System, load_system

HERE = __name__


class Fragile(Calculator):
    """Fails, or gives nan, on anything that is not a pure species."""

    implemented_properties = ("energy",)
    mode = "raise"

    def calculate(self, atoms=None, properties=("energy",), system_changes=()) -> None:
        pure = len(set(atoms.numbers)) == 1
        if not pure and self.mode == "raise":
            raise RuntimeError("no\nconvergence")
        self.results = {"energy": 1.0 if pure else float("nan")}


class NeedsArgument(Fragile):
    def __init__(self, needed: int) -> None:
        super().__init__()


@pytest.fixture(scope="module")
def emt(cuau: System) -> AseOracle:
    return from_argument("emt", cuau)


def random_rows(n: int, composition: int = 16) -> np.ndarray:
    rng = np.random.default_rng(4)
    row = (np.arange(32) < composition).astype(np.int8)
    return np.array([rng.permutation(row) for _ in range(n)])


def test_mixing_energy_of_a_configuration(emt: AseOracle) -> None:
    assert isinstance(emt, EnergyOracle)
    row = random_rows(1, 12)[0]
    atoms = emt.lattice.to_atoms(row)
    atoms.calc = EMT()
    expected = atoms.get_potential_energy() / units.Ry - 20 * emt.reference_energies[0] - 12 * emt.reference_energies[1]
    assert emt.energies(row[None])[0] == pytest.approx(expected, abs=1e-9)
    pure = np.array([[0] * 32, [1] * 32], dtype=np.int8)
    np.testing.assert_allclose(emt.energies(pure), 0.0, atol=1e-9)


def test_energies_do_not_depend_on_the_batch_or_the_order(emt: AseOracle) -> None:
    rows = random_rows(4)
    together = emt.energies(rows)
    np.testing.assert_array_equal(emt.energies(rows[::-1])[::-1], together)
    assert len(np.unique(together)) > 1
    np.testing.assert_array_equal(rows, random_rows(4))


def test_equivalent_configurations_have_equal_energies(emt: AseOracle) -> None:
    images = random_rows(1)[0][emt.lattice.symmetry[::131]]
    assert np.ptp(emt.energies(images)) <= 1e-9


def test_identity_follows_calculator_parameters_and_lattice(emt: AseOracle, cuau: System, tmp_path: Path) -> None:
    assert from_argument("ase.calculators.emt:EMT", cuau).identity == emt.identity
    path = tmp_path / "emt.toml"
    path.write_text('calculator = "emt"\n[parameters]\nasap_cutoff = true')
    others = [from_argument(str(path), cuau), from_argument("emt", load_system("cuau", (1, 1, 1)))]
    assert emt.identity not in {other.identity for other in others}


@pytest.mark.parametrize("mode", ["raise", "nan"])
def test_failures_raise(cuau: System, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(Fragile, "mode", mode)
    oracle = from_argument(f"{HERE}:Fragile", cuau)
    with pytest.raises(OracleError, match="Fragile") as caught:
        oracle.energies(random_rows(2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "needs a calculator"),
        ("no_such_calculator", "there is no calculator"),
        ("no.such.module:Thing", "there is no calculator"),
        ("ase.calculators.emt:Thing", "there is no calculator"),
        ("ase.calculators.emt:parameters", "is no class"),
        (f"{HERE}:NeedsArgument", "does not start"),
        ("nowhere.toml", "cannot read"),
    ],
)
def test_wrong_calculators_are_refused(cuau: System, argument: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_argument(argument, cuau)


def test_a_calculator_that_lacks_a_species_is_refused(fept: System) -> None:
    with pytest.raises(InputError, match="cannot do pure Fe and Pt"):
        from_argument("emt", fept)


@pytest.mark.parametrize(
    ("text", "message"),
    [("calculator = 'emt'\nparameter = 1", "unknown key"), ("[parameters]\n", "needs calculator"), ("a", "cannot")],
)
def test_wrong_files_are_refused(cuau: System, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calculator.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        from_argument(str(path), cuau)
