"""What ``inspect`` says of a trajectory."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np

from wanglandau.hdf5_parts import read_json, reading
from wanglandau.inspection import table_of
from wanglandau.inspectors import Inspected
from wanglandau.levels import MEV_PER_RY


def describe_trajectory(path: Path) -> Inspected:
    """Describe a trajectory without reading its configurations.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with reading(path) as file:
        n_sites, species = int(file.attrs["n_sites"]), [str(symbol) for symbol in file.attrs["species"]]
        energy = np.asarray(file["energy"][()]) * MEV_PER_RY / n_sites
        temperature, trial = np.asarray(file["temperature"][()]), np.asarray(file["trial"][()])
        composition, walker = np.asarray(file["composition"][()]), np.asarray(file["walker"][()])
        names, name = read_json(file, "names", list), str(file.attrs["name"])
    values = {
        "kind": "trajectory",
        "species": species,
        "n_sites": n_sites,
        "records": len(energy),
        "walkers": len(np.unique(walker)),
        "temperatures_k": np.unique(temperature),
        "compositions": np.unique(composition),
        "observables": names,
    }
    lines = [
        ("trajectory", f"{len(energy)} configurations of {values['walkers']} walkers"),
        ("system", f"{'-'.join(species)} on {name}, {n_sites} sites"),
    ]
    if len(energy):
        values |= {"lowest_energy_mev_per_atom": energy.min(), "highest_energy_mev_per_atom": energy.max()}
        lines += [
            ("composition", _span(composition, f"{species[1]} atoms")),
            ("temperatures", _span(temperature, "K")),
            ("energies", f"{energy.min():.3f} to {energy.max():.3f} meV/atom"),
            ("trials", f"up to {trial.max():.4g} a walker"),
        ]
    lines += [("observables", ", ".join(names) or "none kept")]
    code = f"from wanglandau.trajectory import read_trajectory; t = read_trajectory({json.dumps(str(path))})"
    return Inspected(
        table_of(lines), values, (f"python -i -c {shlex.quote(code)}",), instead="its run file has averages to draw"
    )


def _span(values: np.ndarray, unit: str) -> str:
    few = np.unique(values)
    if len(few) <= 8:
        return ", ".join(f"{value:g}" for value in few) + f" {unit}"
    return f"{few[0]:g} to {few[-1]:g} {unit}, {len(few)} of them"
