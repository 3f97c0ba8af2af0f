"""Configurations drawn uniformly from the energy bins of a known density of states.

A walk with the fixed weights 1 / g visits every configuration of a bin equally often, and every bin. What it shows in
looks far apart is kept by bin, to be drawn from. Bins are taken together to strata, so that a small number of draws
leaves several to each; a stratum is drawn from in the proportions of g of its bins, evenly spread over them (systematic
sampling; W. G. Cochran, Sampling Techniques, 1977, chapter 8). A bin with few orbits is a stratum of its own in
which every orbit is listed and nothing is left to chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from tqdm import tqdm

from wanglandau.density_of_states import DensityOfStates
from wanglandau.engine import Engine
from wanglandau.lattice import Lattice
from wanglandau.orderly_end import stop_if_asked
from wanglandau.short_pieces import Pace
from wanglandau.starting import starting_walkers
from wanglandau.symmetry import orbit
from wanglandau.walkers import Window, flat_weights, make_snapshots

WALKERS_COMPILED, WALKERS_BATCHED = 16, 64
SWEEPS_BETWEEN = 10
"""Sweeps of a walker between looks."""
LEFT_OUT = 0.1
"""Part of the looks that is left out at the start."""
FORBIDDEN = 1e6
"""ln g of bins that the density of states says nothing of, which keeps the walk out of them."""
LOOKS_PER_ORBIT = 5
"""Looks that have to meet every orbit of a bin before it counts as listed."""
MAX_LISTED = 20
"""Orbits of a bin that may be listed."""
COUNT_TOLERANCE = 0.05
"""By how much ln of the configurations listed may differ from ln g, beside four standard errors."""
SNAPSHOTS_AT_ONCE = 50


class Looks(NamedTuple):
    """Configurations met by a walk with fixed weights, in bins that have some.

    Attributes
    ----------
    bins : int64[n]
    occupations : int8[n, n_sites]
    """

    bins: np.ndarray
    occupations: np.ndarray


class Batch(NamedTuple):
    """Configurations to be evaluated.

    Attributes
    ----------
    occupations : int8[n, n_sites]
    stratum : int64[n]
    size : float64[n]
        Configurations that each stands for in a stratum whose orbits are listed; 1 in others.
    """

    occupations: np.ndarray
    stratum: np.ndarray
    size: np.ndarray


def look_into_bins(
    engine: Engine, density: DensityOfStates, per_bin: int, seed: np.random.SeedSequence, progress: bool = False
) -> Looks:
    """Walk with the weights 1 / g and look at the walkers from time to time.

    Parameters
    ----------
    engine : Engine
        Of the oracle that the density of states belongs to.
    density : DensityOfStates
    per_bin : int
        Looks for each visited bin, on average.
    seed : SeedSequence
    progress : bool
        Show a bar (only ever on a terminal).

    Raises
    ------
    OracleError
        If an energy cannot be had.
    """
    grid, known = density.grid, density.visited
    window = Window(float(grid.edges[np.flatnonzero(known)[0]]), float(grid.edges[np.flatnonzero(known)[-1] + 1]))
    n_walkers = WALKERS_BATCHED if engine.compiled is None else WALKERS_COMPILED
    walkers = starting_walkers(engine, density.composition, n_walkers, window, grid, seed)
    weights = flat_weights(grid, walkers, 0.0)
    weights.bins["ln_g"], weights.bins["seen"] = np.where(known, density.ln_g, FORBIDDEN), 1
    every = SWEEPS_BETWEEN * density.n_sites
    wanted = -(-per_bin * int(known.sum()) // n_walkers)
    bins, rows = [], []
    left_out, pace = int(np.ceil(LEFT_OUT * wanted)), Pace()
    with tqdm(total=left_out + wanted, desc="bins", unit=" looks", disable=None if progress else True) as bar:
        for n_rounds in pace.pieces(left_out * every):
            engine.advance(walkers, weights, n_rounds)
        bar.update(left_out)
        for start in range(0, wanted, SNAPSHOTS_AT_ONCE):
            stop_if_asked()
            snapshots = make_snapshots(walkers, min(SNAPSHOTS_AT_ONCE, wanted - start), every)
            engine.advance(walkers, weights, len(snapshots.records) * every, snapshots)
            bins.append(snapshots.records["bin"].reshape(-1))
            rows.append(snapshots.occupations.reshape(-1, density.n_sites))
            bar.update(len(snapshots.records))
    met, occupations = np.concatenate(bins), np.concatenate(rows)
    return Looks(met[known[met]], occupations[known[met]])


def listed_orbits(lattice: Lattice, occupations: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """List the orbits of a bin, if looks show that there are few and all were met.

    Parameters
    ----------
    lattice : Lattice
    occupations : int8[n, n_sites]
        Looks at one bin.

    Returns
    -------
    representatives : int8[n_orbits, n_sites]
    sizes : int64[n_orbits]
        Configurations of each orbit.
    """
    rest: dict[bytes, int] = {}
    for row in occupations:
        rest[row.tobytes()] = rest.get(row.tobytes(), 0) + 1
    rows, sizes = [], []
    while rest:
        first = np.frombuffer(next(iter(rest)), dtype=np.int8)
        images = orbit(first, lattice.symmetry)
        looks = sum(rest.pop(image) for image in images & rest.keys())
        rows.append(first)
        sizes.append(len(images))
        if looks < LOOKS_PER_ORBIT or len(rows) > MAX_LISTED:
            return None
    return (np.array(rows), np.array(sizes)) if rows else None


@dataclass
class Strata:
    """Strata, what is left to draw in each, and their weight.

    Attributes
    ----------
    members : list of int64[n]
        Bins with looks, by stratum; ascending.
    listed : list of (int8[n_orbits, n_sites], int64[n_orbits]) or None
        By stratum, the orbits where all are listed.
    ln_g : float64[n_bins]
        Of the bins with looks; that of other visited bins is added to the nearest.
    run_ln_g : float64[n_runs, n_strata]
        ln of the number of configurations of each stratum by each run of the density of states.
    looks : dict of int to int8[n, n_sites]
        By bin, in random order.
    drawn : dict of int to int
        Looks drawn so far, by bin.
    """

    members: list[np.ndarray]
    listed: list[tuple[np.ndarray, np.ndarray] | None]
    ln_g: np.ndarray
    run_ln_g: np.ndarray
    looks: dict[int, np.ndarray]
    drawn: dict[int, int] = field(default_factory=dict)

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(next(iter(self.looks.values())).shape[1])

    @property
    def counted(self) -> np.ndarray:
        """In which strata every orbit is listed, ``bool[n_strata]``."""
        return np.array([orbits is not None for orbits in self.listed], dtype=bool)

    def list_orbits(self) -> Batch:
        """Return one configuration of every orbit of the strata whose orbits are listed."""
        parts = [(number, *orbits) for number, orbits in enumerate(self.listed) if orbits is not None]
        return Batch(
            np.concatenate([np.empty((0, self.n_sites), np.int8), *(rows for _, rows, _ in parts)]),
            np.concatenate([np.empty(0, np.int64), *(np.full(len(rows), number) for number, rows, _ in parts)]),
            np.concatenate([np.empty(0), *(sizes.astype(np.float64) for _, _, sizes in parts)]),
        )

    def draw(self, numbers: np.ndarray, rng: np.random.Generator) -> Batch:
        """Draw configurations, none twice unless a bin has run out of looks.

        Parameters
        ----------
        numbers : int64[n_strata]
            How many from each; none from those whose orbits are listed.
        rng : numpy.random.Generator
        """
        rows, strata = [], []
        for stratum, number in enumerate(numbers.tolist()):
            bins = self.members[stratum]
            share = np.cumsum(np.exp(self.ln_g[bins] - logsumexp(self.ln_g[bins])))
            points = (np.arange(number) + rng.random()) / max(number, 1)
            for place in bins[np.minimum(np.searchsorted(share, points), len(bins) - 1)].tolist():
                looks, used = self.looks[place], self.drawn.get(place, 0)
                rows.append(looks[used % len(looks)])
                strata.append(stratum)
                self.drawn[place] = used + 1
        occupations = np.array(rows, dtype=np.int8).reshape(len(rows), self.n_sites)
        return Batch(occupations, np.array(strata, dtype=np.int64), np.ones(len(rows)))


def make_strata(
    density: DensityOfStates,
    lattice: Lattice,
    looks: Looks,
    calls: int,
    per_stratum: int,
    invariant: bool,
    rng: np.random.Generator,
) -> Strata:
    """Divide the visited bins into strata.

    From the lowest bin upwards, orbits are listed while they take no more than a quarter of the calls; up to a half in
    bins where there are no more of them than would be drawn. Those bins hold as many configurations as their orbits,
    whatever ln g says. The other bins are put together, in equal numbers.

    Parameters
    ----------
    density : DensityOfStates
    lattice : Lattice
    looks : Looks
    calls : int
        Configurations to be evaluated in all.
    per_stratum : int
        Fewest draws in a stratum that is not listed.
    invariant : bool
        Whether one configuration stands for its orbit, for both oracles.
    rng : numpy.random.Generator
        Shuffles the looks.
    """
    met = np.unique(looks.bins)
    by_bin = {int(place): rng.permutation(looks.occupations[looks.bins == place]) for place in met}
    ln_g = _moved_to(met, density.ln_g)
    listed: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    spent = 0
    for place in met.tolist() if invariant else []:
        orbits = listed_orbits(lattice, by_bin[place])
        error = np.nan_to_num(density.standard_error[place])
        if orbits is None or abs(np.log(orbits[1].sum()) - ln_g[place]) > COUNT_TOLERANCE + 4 * error:
            continue
        few = len(orbits[0]) <= per_stratum
        if spent + len(orbits[0]) <= calls // (2 if few else 4):
            listed[place] = orbits
            spent += len(orbits[0])
    rest = np.array([place for place in met.tolist() if place not in listed], dtype=np.int64)
    number = max(1, min(len(rest), (calls - spent) // per_stratum))
    groups = [np.array([place]) for place in listed] + (np.array_split(rest, number) if len(rest) else [])
    members = sorted(groups, key=lambda group: int(group[0]))
    orbits_of = [listed.get(int(group[0])) for group in members]
    runs = np.array([_moved_to(met, _filled(run, density.ln_g)) for run in density.run_ln_g])
    run_ln_g = np.array([logsumexp(runs[:, group], axis=1) for group in members]).T
    shift = logsumexp(ln_g) - logsumexp(run_ln_g.mean(axis=0))  # the mean of logarithms falls short of the total
    for stratum, orbits in enumerate(orbits_of):
        if orbits is not None:
            run_ln_g[:, stratum] = np.log(orbits[1].sum())
        else:
            run_ln_g[:, stratum] += shift
    return Strata(members, orbits_of, ln_g, run_ln_g, by_bin)


def _filled(run: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Put the mean of the runs where one run has not been."""
    return np.where(np.isfinite(run), run, mean)


def _moved_to(met: np.ndarray, ln_g: np.ndarray) -> np.ndarray:
    """Add the states of bins without looks to the nearest bin that has some."""
    result = np.full(len(ln_g), -np.inf)
    result[met] = ln_g[met]
    for place in np.flatnonzero(np.isfinite(ln_g) & ~np.isin(np.arange(len(ln_g)), met)):
        nearest = met[np.argmin(np.abs(met - place))]
        result[nearest] = np.logaddexp(result[nearest], ln_g[place])
    return result
