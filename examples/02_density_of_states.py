"""The density of states of an alloy with whatever gives its energies: one script, one flag.

    python examples/02_density_of_states.py                                  # the surrogate shipped for CuAu
    python examples/02_density_of_states.py --oracle pair:examples/pair_models/nearest_neighbour_fcc.toml
    python examples/02_density_of_states.py --oracle ase:emt --trials 20000  # ASE's effective-medium potential

The sampler asks for energies only, so surrogate, tree model, pair model and calculator take the same place. Those
with a compiled energy run millions of trials per second, the others as fast as they answer; with few trials the
verdict will say so.
"""

import argparse

from wanglandau.oracle_registry import load_oracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.thermodynamics import default_temperatures, heat_capacity_peak, thermodynamics
from wanglandau.verdict import judge

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--system", default="cuau")
parser.add_argument("--oracle", default="surrogate")
parser.add_argument("--composition", type=int, default=16, help="number of second-species atoms")
parser.add_argument("--trials", type=int, default=20_000_000, help="of each run")
parser.add_argument("--runs", type=int, default=8)
parser.add_argument("--smoke", action="store_true", help="a few seconds only")
options = parser.parse_args()

system = load_system(options.system)
oracle = load_oracle(options.oracle, system)
trials = 20_000 if options.smoke else options.trials
settings = WangLandauSettings(runs=options.runs, max_trials=trials)
sampled = sample_density(oracle, options.composition, settings)

density = sampled.density
temperatures = default_temperatures(density)
curves = thermodynamics(density, temperatures)
peak = heat_capacity_peak(density, temperatures)
print(f"{options.oracle}: {density.visited.sum()} bins, ln g from {density.ln_g[density.visited].min():.2f} up")
print("   T/K  U/(meV/atom)  C/(k_B/atom)  S/(k_B/atom)")
for t, u, c, _, s in list(zip(temperatures, *curves.per_atom().values(), strict=True))[::25]:
    print(f"{t:6.0f} {u:13.3f} {c:13.4f} {s:13.4f}")
print(f"peak of C at {peak.temperature:.1f} +- {peak.temperature_error:.1f} K")
print(judge(sampled).summary)
