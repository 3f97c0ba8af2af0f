"""What the console program does with data sets: make model data, read structures and published text files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import Report
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.dataset import Dataset


@ends_in_order("nothing was written; the same command begins anew")
def label(
    system: str,
    /,
    *,
    surrogate: str = "lattice",
    per_composition: int = 1000,
    seed: int = 0,
    distinct_orbits: bool = False,
    out: Path | None = None,
) -> Report:
    """Make model data: draw the balanced sample of the published study and label it with a surrogate.

    The result is a data set like any other, for trying methods at the size of the published one: 28,058 configurations
    of a 32-atom cell. It is no first-principles data and its file says so.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    surrogate : str
        Which one predicts: lattice, dense, ensemble or lattice-v1 (which labelled the data of the published studies)
        for one that is shipped for the system, or a file written by surrogate train.
    per_composition : int
        Largest number of configurations of one composition.
    seed : int
        Of the random numbers that draw the sample.
    distinct_orbits : bool
        Draw no two configurations that symmetry maps onto each other.
    out : Path
        HDF5 file to write; SYSTEM-model-data.h5 unless said otherwise.
    """
    from surrogate.dataset import save_dataset
    from surrogate.model_data import Sample
    from surrogate.model_data import label as make_model_data
    from surrogate.oracle import find_model, make_oracle
    from wanglandau.systems import load_system

    started = time.perf_counter()
    chosen = load_system(system)
    target = _writable(out or Path(f"{chosen.name}-model-data.h5"))
    sample = Sample(per_composition, seed, distinct_orbits)
    oracle = make_oracle(find_model(surrogate, chosen), chosen.lattice)
    data = make_model_data(oracle, sample, chosen.name)
    save_dataset(data, target)
    values = _summary(data, target, chosen.name, started) | {"oracle": oracle.identity, **vars(sample)}
    caution = data.attributes["caution"]
    return Report(f"{_sentence(values)}\n{data.attributes['code']}\n\n{caution}", values | {"caution": caution})


def import_text(
    system: str,
    folder: Path,
    /,
    *,
    out: Path | None = None,
    reference_energies: tuple[float, float] | None = None,
) -> Report:
    """Make a data set of a folder of published text files, one a configuration.

    Each file is what LSMS writes as info_evec_out: total energy, band energy and Fermi energy (Ry), then 18 columns for
    each atom: Z, index, position (Bohr), electrons, moment and others. Atoms may come in any order. The folder holds
    nothing else. The files do not say whether a run converged: leave those out that did not.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice; its cell must be that of the files.
    folder : Path
        Folder of the files.
    out : Path
        HDF5 file to write; SYSTEM-imported-data.h5 unless said otherwise.
    reference_energies : tuple of two float
        Energies of the pure species, Ry per atom; those of files in which all atoms are of one species unless said
        otherwise.
    """
    from surrogate.dataset import save_dataset
    from surrogate.text_dataset import read_text_dataset
    from wanglandau.systems import load_system

    started = time.perf_counter()
    chosen = load_system(system)
    target = _writable(out or Path(f"{chosen.name}-imported-data.h5"))
    data = read_text_dataset(folder, chosen, reference_energies)
    save_dataset(data, target)
    values = _summary(data, target, chosen.name, started)
    values |= {"reference_energies_from": data.attributes["reference_energies_from"]}
    first, second = (f"{energy:.6f}" for energy in data.reference_energies)
    lines = [
        _sentence(values),
        f"reference energies {first} and {second} Ry per atom, {values['reference_energies_from']}",
    ]
    return Report("\n".join(lines), values)


def import_structures(
    system: str,
    files: list[Path],
    /,
    *,
    out: Path | None = None,
    energy_key: str | None = None,
    mixing_per_atom: bool = False,
    reference_energies: tuple[float, float] | None = None,
    max_displacement: float = 0.2,
) -> Report:
    """Make a data set of structures with energies in files that ASE reads: extended XYZ, trajectories, databases, VASP.

    Structures may be relaxed, shifted, and of smaller cells that fill that of the system in whole numbers. The species
    on each site is that of the nearest atom. Charges and magnetic moments are taken along where all structures have
    them.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice; its cell must be a supercell of every structure's.
    files : list of Path
        Files of structures.
    out : Path
        HDF5 file to write; SYSTEM-imported-data.h5 unless said otherwise.
    energy_key : str
        Name under which the energy of a structure stands, such as dft_energy; that of its calculation unless said
        otherwise.
    mixing_per_atom : bool
        Energies are mixing energies in eV per atom instead of total energies in eV.
    reference_energies : tuple of two float
        Energies of the pure species, eV per atom; those of structures of one species unless said otherwise.
    max_displacement : float
        How far an atom may be from its site, as a share of the distance of nearest neighbours.
    """
    from surrogate.dataset import save_dataset
    from surrogate.structure_dataset import EnergyColumn, read_structures
    from wanglandau.systems import load_system

    started = time.perf_counter()
    chosen = load_system(system)
    target = _writable(out or Path(f"{chosen.name}-imported-data.h5"))
    column = EnergyColumn(energy_key, mixing_per_atom)
    data = read_structures(files, chosen, column, reference_energies, max_displacement)
    save_dataset(data, target)
    values = _summary(data, target, chosen.name, started) | _fit_to_lattice(data)
    return Report("\n".join([_sentence(values), *_lines_of_fit(data, values)]), values)


def _fit_to_lattice(data: Dataset) -> dict[str, Any]:
    from ase import units

    from surrogate.structure_dataset import spread_within_orbits

    per_atom = 1000 * units.Ry / data.lattice.n_sites
    mixing = data.mixing_energy * per_atom
    return {
        "reference_energies_from": data.attributes["reference_energies_from"],
        "largest_displacement_angstrom": float(data.records["displacement"].max()),
        "largest_strain": float(data.records["strain"].max()),
        "scales": [float(data.records["scale"].min()), float(data.records["scale"].max())],
        "mixing_energy_mev_per_atom": [float(mixing.min()), float(mixing.max())],
        "spread_within_orbits_mev_per_atom": spread_within_orbits(data) * per_atom,
        "caution": data.attributes.get("caution"),
    }


def _lines_of_fit(data: Dataset, values: dict[str, Any]) -> list[str]:
    from ase import units

    first, second = (f"{energy * units.Ry:.6f}" for energy in data.reference_energies)
    low, high = values["mixing_energy_mev_per_atom"]
    small, large = values["scales"]
    lines = [
        f"reference energies {first} and {second} eV per atom, {values['reference_energies_from']}",
        f"mixing energies {low:.2f} to {high:.2f} meV/atom; symmetry-equivalent configurations differ by up to "
        f"{values['spread_within_orbits_mev_per_atom']:.2g}",
        f"atoms up to {values['largest_displacement_angstrom']:.3f} Angstrom off their sites, lengths {small:.4f} to "
        f"{large:.4f} of the lattice's, strain besides up to {values['largest_strain']:.4f}",
    ]
    return lines + ([f"\n{values['caution']}"] if values["caution"] else [])


def _writable(target: Path) -> Path:
    """Return the file to write after making sure, before any work, that its folder is there."""
    from wanglandau.commands.preparation import check_writable

    check_writable(target)
    return target


def _summary(data: Dataset, target: Path, system: str, started: float) -> dict[str, Any]:
    import numpy as np

    arrays = ("energy", "charge", "moment")
    return {
        "dataset": target,
        "system": system,
        "n_configurations": len(data),
        "n_orbits": len(np.unique(data.orbit)),
        "arrays": [name for name in arrays if getattr(data, name) is not None],
        "reference_energies_ry_per_atom": data.reference_energies,
        "dataset_digest": data.digest,
        "seconds": time.perf_counter() - started,
    }


def _sentence(values: dict[str, Any]) -> str:
    return (
        f"wrote {values['dataset']}: {values['n_configurations']} configurations of {values['system']} in "
        f"{values['n_orbits']} orbits with {', '.join(values['arrays'])}, {values['seconds']:.0f} s"
    )
