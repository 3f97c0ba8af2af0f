"""The active-learning loop: a committee in front, a dear oracle behind.

Generation by generation: a committee is trained on all data so far; it is asked for ground state and thermodynamics of
the cell; orbits are chosen by what it says and how far it disagrees; the dear oracle computes them, and what the
committee had said before tells how wrong it was. The loop ends when nothing changes any more
(:mod:`lsms_bridge.learning_verdict`). Within a generation the committee is frozen, so that sampling stays sampling of
one energy; compare active learning for the sampling of configurations, S. Kasamatsu et al., J. Chem. Phys. 157, 104114
(2022), and of potentials, E. V. Podryabinkin and A. V. Shapeev, Comput. Mater. Sci. 140, 171 (2017).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from lsms_bridge.acquisition import choose, contenders, shares
from lsms_bridge.committee import Committee, Learner
from lsms_bridge.exploration import Exploration, Thermal, enumerates, explore
from lsms_bridge.generation import Finding, Generation, NewPoints
from lsms_bridge.learning_data import ask, check_cell, check_goes_with, joined, start_dataset
from lsms_bridge.learning_record import COMMITTEE, DATASET, SUMMARY, LearningFolder
from lsms_bridge.learning_settings import LearningSettings
from lsms_bridge.learning_verdict import LearningVerdict, judge_learning
from surrogate.dataset import Dataset, save_dataset
from surrogate.kept_results import write_json
from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle, PropertyOracle
from wanglandau.orbits import occupations_from_keys
from wanglandau.run_lock import locked
from wanglandau.systems import System

SEED_STEP = 1000
"""Between the training seeds of two generations; more than a committee has members."""


@dataclass(frozen=True)
class LearningTask:
    """What is to be learnt.

    Attributes
    ----------
    system : System
    compositions : tuple of int
        Numbers of second-species atoms, each 1 to n_sites - 1.
    dear : EnergyOracle
        Invariant; charges and moments are learnt as well where it has ``properties``.
    learner : Learner
    start : Dataset or None
        Data to begin with; None has some computed.
    """

    system: System
    compositions: tuple[int, ...]
    dear: EnergyOracle
    learner: Learner
    start: Dataset | None = None

    def __post_init__(self) -> None:
        n_sites = self.system.lattice.n_sites
        check_cell(n_sites)
        for composition in self.compositions:
            if not 0 < composition < n_sites:
                raise InputError(f"nothing can be learnt at composition {composition}; choose 1 to {n_sites - 1}")
        if not self.compositions or len(set(self.compositions)) < len(self.compositions):
            raise InputError(f"compositions are {self.compositions}; give at least one, each once")
        if not self.dear.invariant:
            raise InputError(
                "the dear oracle gives equivalent configurations different energies; take an invariant one"
            )

    def of_result(self) -> dict[str, Any]:
        """Return what the generations depend on beside settings and start."""
        return {
            "system": self.system.name,
            "lattice": self.system.lattice.fingerprint,
            "compositions": list(self.compositions),
            "dear": self.dear.identity,
            "learner": self.learner.identity,
        }


class LearningResult(NamedTuple):
    """What a loop has come to.

    Attributes
    ----------
    generations : list of Generation
    verdict : LearningVerdict
    folder : LearningFolder
    """

    generations: list[Generation]
    verdict: LearningVerdict
    folder: LearningFolder


def learn(task: LearningTask, settings: LearningSettings, folder: Path, *, progress: bool = True) -> LearningResult:
    """Run the loop until it has settled or has made all its generations.

    Finished generations in the folder are kept and not made again; one that was not finished is made anew with the same
    seeds.

    Parameters
    ----------
    task : LearningTask
    settings : LearningSettings
    folder : Path
        See :mod:`lsms_bridge.learning_record`.
    progress : bool
        Show a bar (only ever on a terminal).

    Raises
    ------
    InputError
        If the folder is in use or holds another loop, or task and settings make no sense together.
    OracleError
        If the dear oracle fails; all finished generations are kept, and the same call goes on.
    """
    enumerates(task.system.lattice.n_sites, settings)
    kept = LearningFolder(folder)
    with locked(folder / "lock", str(folder)):
        return _loop(task, settings, kept, progress)


def _loop(task: LearningTask, settings: LearningSettings, kept: LearningFolder, progress: bool) -> LearningResult:
    start = _start(task, settings, kept)
    kept.begin(start, task.of_result() | {"settings": settings.of_result()})
    generations = kept.finished()
    verdict = judge_learning(generations, settings)
    with tqdm(total=settings.generations, desc="learning", unit="gen", disable=None if progress else True) as bar:
        bar.update(len(generations))
        while not verdict.settled and len(generations) < settings.generations:
            number = len(generations)
            data = kept.dataset(number - 1)
            with kept.making(number) as partial:
                generations.append(_make(task, settings, number, data, partial, bar.set_description))
            verdict = judge_learning(generations, settings)
            kept.publish(number)
            bar.update()
            bar.set_postfix_str(_progress(generations[-1]))
    return LearningResult(generations, verdict, kept)


def _start(task: LearningTask, settings: LearningSettings, kept: LearningFolder) -> Dataset:
    start = task.start or kept.start()
    if start is None:
        start = start_dataset(task.dear, task.system, task.compositions, settings.start, settings.seed)
    check_goes_with(start, task.dear)
    if isinstance(task.dear, PropertyOracle):
        return start
    return replace(start, charge=None, moment=None)  # or later generations would learn less than the first


def _make(
    task: LearningTask,
    settings: LearningSettings,
    number: int,
    data: Dataset,
    folder: Path,
    tell: Callable[[str], object],
) -> Generation:
    clock = [time.perf_counter()]
    tell(f"generation {number}, training")
    committee = task.learner.fit(data, settings.seed + SEED_STEP * number)
    committee.save(folder / COMMITTEE)
    clock.append(time.perf_counter())
    seeds = np.random.SeedSequence([settings.seed, number]).spawn(len(task.compositions))
    counts = shares(settings.per_generation, len(task.compositions), number)
    parts = []
    for composition, seed, count in zip(task.compositions, seeds, counts, strict=True):
        tell(f"generation {number}, exploring {composition}")
        walk_seed, choice_seed = (int(value) for value in seed.generate_state(2))
        found = explore(committee, task.system, composition, settings, walk_seed, folder)
        rng = np.random.default_rng(choice_seed)
        parts.append(_Chosen.by(found, data, composition, count, rng))
    clock.append(time.perf_counter())
    tell(f"generation {number}, computing")
    data, new = _compute(task, data, parts)
    save_dataset(data, folder / DATASET)
    clock.append(time.perf_counter())
    names = ("training", "exploring", "computing")
    seconds = {name: clock[k + 1] - clock[k] for k, name in enumerate(names)}
    findings = tuple(part.finding(data, _ground(part.composition, data, len(new))) for part in parts)
    counted = len(data) - len(new), len(np.unique(data.orbit))
    made = Generation(number, data.lattice.n_sites, *counted, new, findings, seconds)
    write_json(folder / SUMMARY, made.to_json())
    return made


@dataclass(frozen=True, eq=False)
class _Chosen:
    """One composition: what was explored and what was chosen of it; candidates are dropped but for what counts."""

    composition: int
    found: Exploration
    places: np.ndarray
    reasons: tuple[str, ...]

    @classmethod
    def by(cls, found: Exploration, data: Dataset, composition: int, count: int, rng: np.random.Generator) -> _Chosen:
        ground, _ = _ground(composition, data)
        places, reasons = choose(found.candidates, data.orbit, ground, count, rng)
        return cls(composition, found, places, reasons)

    @property
    def keys(self) -> np.ndarray:
        return self.found.candidates.keys[self.places]

    def finding(self, data: Dataset, before: tuple[float, int]) -> Finding:
        candidates = self.found.candidates
        after, ground_key = _ground(self.composition, data)
        lowest = int(np.argmin(candidates.energies))
        unknown = ~np.isin(candidates.keys, data.orbit)
        pair = np.unique([lowest, *np.flatnonzero(candidates.keys == np.uint64(max(ground_key, 0)))])
        return Finding(
            self.composition,
            self.found.thermal,
            before[0],
            after,
            ground_key,
            float(candidates.energies[lowest]),
            int(candidates.keys[lowest]),
            _energy_of(int(candidates.keys[lowest]), data) - after,
            float(np.sqrt(np.sum(candidates.spreads[pair] ** 2))),
            int(contenders(candidates, data.orbit, after).sum()),
            int((unknown & candidates.ordered).sum()),
            len(candidates.keys),
            self.found.complete,
        )


def _compute(task: LearningTask, data: Dataset, parts: Sequence[_Chosen]) -> tuple[Dataset, NewPoints]:
    """Have the dear oracle compute what was chosen, all compositions at once."""
    n_sites = data.lattice.n_sites
    keys = np.concatenate([part.keys for part in parts])
    reasons = tuple(reason for part in parts for reason in part.reasons)
    predicted = np.concatenate([part.found.candidates.energies[part.places] for part in parts])
    spread = np.concatenate([part.found.candidates.spreads[part.places] for part in parts])
    compositions = np.repeat([part.composition for part in parts], [len(part.places) for part in parts])
    if not len(keys):
        return data, NewPoints(keys, compositions, reasons, predicted, spread, np.empty(0))
    occupations = occupations_from_keys(keys, n_sites)
    answers = ask(task.dear, occupations)
    larger = joined(data, task.dear, occupations, answers, reasons)
    found = larger.mixing_energy[len(data) :]
    return larger, NewPoints(keys, compositions, reasons, predicted, spread, found)


def _ground(composition: int, data: Dataset, without_last: int = 0) -> tuple[float, int]:
    """Return energy (Ry per cell) and orbit of the lowest known configuration, all but the last so many."""
    places = np.flatnonzero(data.composition[: len(data) - without_last] == composition)
    if not len(places):
        return float("inf"), -1
    lowest = places[np.argmin(data.mixing_energy[places])]
    return float(data.mixing_energy[lowest]), int(data.orbit[lowest])


def _energy_of(key: int, data: Dataset) -> float:
    places = np.flatnonzero(data.orbit == np.uint64(key))
    return float(data.mixing_energy[places[0]]) if len(places) else float("nan")


def _progress(made: Generation) -> str:
    thermal: Thermal = made.findings[0].thermal
    errors = made.new.errors(made.n_sites)
    return f"Tc {float(thermal.peak_temperature.value):.4g} K, {errors['n']} new, rmse {errors['rmse']:.3g} meV/atom"


__all__ = ["Committee", "Learner", "LearningResult", "LearningTask", "learn"]
