"""A cheap energy in front, a dear one behind: the answers of the dear one at a small part of its calls.

In production the cheap energy is a surrogate and the dear one LSMS, at a minute a call. Here both are pair models, the
cheap one with couplings that are off by a seventh and more, so that exact sums tell whether the answers are right.

Delayed acceptance: long chains of the cheap energy propose, the dear one decides. Exact for the dear one.
Reweighting: a finished density of states of the cheap energy, and a budget of dear energies spread over its bins.

Run: python examples/11_cheap_and_dear.py [--smoke]
"""

import sys

import numpy as np

from wanglandau.delayed_acceptance import Proposal
from wanglandau.density_of_states import density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.exact import exact_levels
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.metropolis import sample_metropolis
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_settings import MetropolisSettings, ProposalSettings
from wanglandau.pair_model import PairOracle
from wanglandau.reweighted_sampling import reweight
from wanglandau.reweighted_settings import ReweightingSettings
from wanglandau.systems import load_system
from wanglandau.thermodynamics import thermodynamics

smoke = "--smoke" in sys.argv
lattice = load_system("cuau").lattice  # fcc 2x2x2, 32 atoms, 16 of each
dear = PairOracle(lattice, unlike_bond_energies=[bond / MEV_PER_RY for bond in (-50.0, 8.0, 3.0)])
cheap = PairOracle(lattice, unlike_bond_energies=[bond / MEV_PER_RY for bond in (-57.0, 10.0)])
levels = {name: exact_levels(oracle, 16, progress=False) for name, oracle in (("dear", dear), ("cheap", cheap))}
wanted = np.array([800.0, 1100.0, 2000.0])
truth = {
    name: thermodynamics(Levels.exact(32, found.energies, found.degeneracies), wanted) for name, found in levels.items()
}

proposal = Proposal(cheap, ProposalSettings(proposal_trials=512, proposal_rounds=200 if smoke else 1000))
settings = MetropolisSettings(precision=1e-6, observables=False)
delayed = sample_metropolis(dear, 16, wanted, settings, proposal=proposal, progress=False)
averages = average_all(delayed.series)
calls = delayed.proposal["calls"]

grid = EnergyGrid.covering(levels["cheap"].energies[0], levels["cheap"].energies[-1], 2.0 / MEV_PER_RY * 32)
density = density_from_levels(grid, 32, 16, levels["cheap"].energies, levels["cheap"].degeneracies)
budget = ReweightingSettings(calls=200 if smoke else 1600)
reweighted = reweight(cheap, density, dear, budget, wanted, progress=False)
curves = reweighted.density.thermodynamics(wanted).thermal

print("  T/K  C (k_B/atom): exact   cheap alone   delayed acceptance    reweighted")
for place, temperature in enumerate(wanted):
    columns = [f"{truth[name].heat_capacity[place] / 32:.4f}" for name in ("dear", "cheap")]
    heat = averages["heat_capacity"]
    columns.append(f"{heat.values[place] / 32:.4f} +- {heat.errors[place] / 32:.4f}")
    columns.append(f"{curves.heat_capacity[place] / 32:.4f} +- {curves.standard_error.heat_capacity[place] / 32:.4f}")
    print(f"{temperature:5.0f}  {columns[0]:>20} {columns[1]:>13} {columns[2]:>20} {columns[3]:>18}")
moves = delayed.proposal["cheap_trials"]
accepted = ", ".join(f"{100 * rate:.0f}" for rate in delayed.proposal["acceptance"])
print(f"delayed acceptance: {calls} dear energies for {moves:.2e} cheap trials, {accepted} % accepted")
print(f"reweighting: {reweighted.diagnostics['calls']} dear energies")
