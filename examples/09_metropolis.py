"""Three ways to one answer: parallel tempering, reweighted Wang-Landau, and exact sums.

A Metropolis walk samples one temperature; chains at several temperatures that exchange configurations help each other
out of traps. A Wang-Landau walk samples all energies alike and is reweighted to any temperature afterwards. The two
share only the energy and the bookkeeping of moves, so their agreement tests both; for 32 atoms the exact heat
capacity tests them once more.

Run: python examples/09_metropolis.py [--smoke]        (writes three-ways.png)
"""

import sys

import numpy as np

from wanglandau.exact import exact_levels
from wanglandau.figure_style import CAPACITY_LABEL, EXACT, MARK, SAMPLED, TEMPERATURE_LABEL, new_figure, save_figure
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.metropolis import sample_metropolis
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.thermodynamics import thermodynamics

smoke = "--smoke" in sys.argv
lattice = load_system("cuau").lattice  # fcc 2x2x2, 32 atoms
alloy = PairOracle(lattice, unlike_bond_energies=[-50.0 / MEV_PER_RY])
wanted = np.array([450.0, 550.0, 608.0, 700.0, 900.0])

settings = MetropolisSettings(tempering=True, chains=4, sweeps=4_000 if smoke else 200_000, observables=False)
tempered = sample_metropolis(alloy, 16, wanted, settings)
averages = average_all(tempered.series)
rows = np.searchsorted(tempered.series.temperatures, wanted)  # there may be more temperatures between

flat = sample_density(alloy, 16, WangLandauSettings(runs=4, max_trials=500_000 if smoke else 20_000_000))
walked = thermodynamics(flat.density, wanted)
levels = exact_levels(alloy, 16)
exact = thermodynamics(Levels.exact(32, levels.energies, levels.degeneracies), wanted)

energy, heat = averages["energy"], averages["heat_capacity"]
print("   T/K  by               mixing energy (meV/atom)       C (k_B/atom)")
for place, (row, temperature) in enumerate(zip(rows, wanted, strict=True)):
    found = {"tempering": (energy.values[row], energy.errors[row], heat.values[row], heat.errors[row])}
    for name, curves in (("Wang-Landau", walked), ("exact", exact)):
        error = curves.standard_error
        parts = (curves.internal_energy, error.internal_energy, curves.heat_capacity, error.heat_capacity)
        found[name] = tuple(part[place] for part in parts)
    for name, (u, u_error, c, c_error) in found.items():
        text = f"{u * MEV_PER_RY / 32:12.3f} +- {u_error * MEV_PER_RY / 32:.3f}  {c / 32:14.4f} +- {c_error / 32:.4f}"
        print(f"{temperature:6.0f}  {name:12} {text}")
print(f"exchanges succeed with probability {tempered.exchange.rates.min():.2f} at least")

grid = np.linspace(300.0, 1000.0, 141)
with new_figure(5.5, 3.6) as figure:
    axes = figure.subplots()
    truth = thermodynamics(Levels.exact(32, levels.energies, levels.degeneracies), grid)
    axes.plot(grid, truth.heat_capacity / 32, color=EXACT, label="exact")
    axes.plot(grid, thermodynamics(flat.density, grid).heat_capacity / 32, "--", color=SAMPLED, label="Wang-Landau")
    axes.errorbar(wanted, heat.values[rows] / 32, heat.errors[rows] / 32, fmt="o", color=MARK, label="tempering")
    axes.set(xlabel=TEMPERATURE_LABEL, ylabel=CAPACITY_LABEL)
    axes.legend()
    save_figure(figure, "three-ways.png", "32 atoms on fcc, nearest neighbours, an unlike bond 50 meV below a like one")
