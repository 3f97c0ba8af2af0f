"""Everything a 32-atom cell can tell, without sampling: ground states and order-disorder temperatures of CuAu.

An invariant surrogate has one energy per symmetry orbit. All 2,912,042 orbits of the fcc 2x2x2 cell are evaluated, so
the ground state of every composition is certain, and heat capacities carry no statistical error. (What they do carry
is the error of the surrogate and of the data behind it; see the README.)

Run: python examples/04_exact_thermodynamics.py [--smoke]        (--smoke: a few compositions only)
"""

import sys

import numpy as np
from ase import units

from wanglandau.exact import exact_levels
from wanglandau.levels import Levels
from wanglandau.oracle_registry import load_oracle
from wanglandau.orbits import occupations_from_keys
from wanglandau.ordered_structures import ordered_structures
from wanglandau.systems import load_system
from wanglandau.thermodynamics import default_temperatures, heat_capacity_peak

system = load_system("cuau")
oracle = load_oracle("surrogate", system)
n_sites = system.lattice.n_sites
to_mev = units.Ry * 1000 / n_sites
named = {name: (row.sum(), oracle.energies(row[None])[0]) for name, row in ordered_structures(system.lattice).items()}

if "--smoke" in sys.argv:
    spectra = {composition: exact_levels(oracle, composition) for composition in (2, 4)}
else:
    everything = exact_levels(oracle, None)
    spectra = {composition: everything.at_composition(composition) for composition in range(1, n_sites)}

print("Au atoms  ground state (meV/atom)  states  peak of C (K)  above ground state (meV/atom)")
for composition, levels in spectra.items():
    energy, count = levels.energies[0] * to_mev, levels.degeneracies[0]
    peak = "" if len(levels) < 2 else "none"
    if len(levels) > 2:
        source = Levels.exact(n_sites, levels.energies, levels.degeneracies)
        found = heat_capacity_peak(source, default_temperatures(source))
        peak = f"{found.temperature:.0f}" if found.inside else "none"
    same = [f"{name} {to_mev * value - energy:+.2f}" for name, (n, value) in named.items() if n == composition]
    print(f"{composition:8d} {energy:24.2f} {count:7,d} {peak:>14}  {', '.join(same)}")
    state = occupations_from_keys(levels.ground_state_keys[composition][:1].astype(np.uint64), n_sites)
    assert np.isclose(oracle.energies(state)[0], levels.energies[0])
