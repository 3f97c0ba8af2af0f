"""Train a surrogate on first-principles data and look at what it gets wrong before believing it.

The shipped CuAu set holds LSMS energies and charges of 327 configurations. Four fifths of the
symmetry orbits train the lattice network, the last fifth tests it; a parity plot shows both.

Run: python examples/03_train_a_surrogate.py [--smoke]        (writes parity.png)
"""

import sys
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from ase import units

from surrogate.dataset import load_dataset, split_by_orbit
from surrogate.evaluation import evaluate
from surrogate.fitting import network_fit
from surrogate.recipes import resolve_settings

data = load_dataset("cuau")
learn, test = split_by_orbit(data.orbit, (0.8, 0.2), seed=1)

tasks = ("energy", "charge")
network, training = resolve_settings("cuau", "lattice", tasks)
if "--smoke" in sys.argv:
    network, training = replace(network, width=32), replace(training, epochs=2)
predict = network_fit("lattice", tasks, network, training)(data.select(learn))

report = evaluate(data.select(test), predict(data.select(test).occupations))
print(f"trained on {len(learn)} configurations, tested on {len(test)} of other symmetry orbits")
for name in ("mixing_energy_rmse_within_composition_mev_per_atom", "mixing_energy_max_error_mev_per_atom", "charge_r2"):
    print(f"{name}: {report[name]:.6g}")

to_mev = units.Ry * 1000 / data.lattice.n_sites
figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for part, label in ((data.select(learn), "training"), (data.select(test), "test")):
    found = predict(part.occupations)
    panels[0].plot(part.mixing_energy * to_mev, found.energy * to_mev, ".", label=label)
    panels[1].plot(part.charge.ravel(), found.charge.ravel(), ".", label=label)
for panel, name in zip(panels, ("mixing energy (meV/atom)", "charge of a site (electrons)"), strict=True):
    panel.axline((panel.get_xlim()[0],) * 2, slope=1, color="0.7", zorder=0)
    panel.set(xlabel=f"LSMS {name}", ylabel=f"surrogate {name}")
    panel.legend(frameon=False)
figure.savefig("parity.png", dpi=150)
print("figure: parity.png")
