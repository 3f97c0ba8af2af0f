"""Make the structures of this example: Cu-Pd on fcc, energies by ASE's effective-medium potential (EMT).

It stands for whatever computed yours. Pure and ordered structures come in their own small cells, the others as random
configurations of 16 atoms at every composition.

Run: python make_structures.py [FILE.extxyz]
"""

import sys

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

LATTICE_CONSTANT = 3.75  # Angstrom, between those of Cu and Pd
PER_COMPOSITION = 3


def with_energy(cell: Atoms, symbols: list[str]) -> Atoms:
    """Put atoms on the sites of a cell and compute the energy."""
    atoms = cell.copy()
    atoms.set_chemical_symbols(symbols)
    atoms.calc = EMT()
    atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy())
    return atoms


one = bulk("Cu", "fcc", a=LATTICE_CONSTANT)
four = bulk("Cu", "fcc", a=LATTICE_CONSTANT, cubic=True)
sixteen = four.repeat((2, 2, 1))

structures = [with_energy(one, ["Cu"]), with_energy(one, ["Pd"])]
structures += [with_energy(four, list(order)) for order in (["Pd", "Cu", "Cu", "Cu"], ["Cu", "Cu", "Pd", "Pd"])]
structures += [with_energy(four, ["Cu", "Pd", "Pd", "Pd"])]
rng = np.random.default_rng(1)
for n_palladium in range(1, 16):
    symbols = np.array(["Cu"] * (16 - n_palladium) + ["Pd"] * n_palladium)
    structures += [with_energy(sixteen, list(rng.permutation(symbols))) for _ in range(PER_COMPOSITION)]

file = sys.argv[1] if len(sys.argv) > 1 else "structures.extxyz"
ase.io.write(file, structures, columns=["symbols", "positions"])
print(f"{len(structures)} structures in {file}")
