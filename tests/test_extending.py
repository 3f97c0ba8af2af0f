"""Lattices, oracles, moves, observables and schedules from outside: the worked examples, and what they rest on."""

from __future__ import annotations

import dataclasses
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact_weights import FULL, Uncompiled, bcc_oracle, exact_fcc_error, fcc_oracle, fcc_walkers
from known_levels import UNLIKE_BONDS
from numba import njit

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.kernels import pick_flip, pick_swap, random_below, swap_places
from wanglandau.levels import BOLTZMANN
from wanglandau.metropolis import sample_metropolis
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.move import SWAP, Move
from wanglandau.observables import ShortRangeOrder, standard_observables
from wanglandau.oracle import EnergyOracle
from wanglandau.sampling import sample_density
from wanglandau.schedule_factories import SCHEDULES
from wanglandau.settings import WangLandauSettings
from wanglandau.stationarity import check_stationarity
from wanglandau.verdict import judge
from wanglandau.walkers import flat_weights, make_snapshots, make_walkers

pytestmark = pytest.mark.compiled

ROOT = Path(__file__).parents[1]
KINDS = ("lattice", "oracle", "move", "observable", "schedule")
LARGEST_EXAMPLE = 39
RETRIES, TWICE, BEYOND, ANY_TWO, NEVER = range(5)
QUICK = WangLandauSettings(runs=2, max_trials=40_000, precision=1e-9, observables=False, threads=1)


@njit
def pick_as_told(parameters: Any, occupations: Any, sites: Any, walker: Any, picks: Any, flips: Any) -> bool:
    """Draw among unlike neighbours, whose number changes; or a site twice, one that there is not, any two, or none."""
    neighbours, what = parameters
    while True:
        flips[0] = random_below(walker.random_state, len(occupations))
        if what == TWICE or what == BEYOND:
            flips[1] = flips[0] if what == TWICE else len(occupations)
            return True
        if what == ANY_TWO or what == NEVER:
            flips[1] = random_below(walker.random_state, len(occupations))
            return what == ANY_TWO and flips[1] != flips[0]
        flips[1] = neighbours[flips[0], random_below(walker.random_state, neighbours.shape[1])]
        if occupations[flips[0]] != occupations[flips[1]]:
            return True


def as_told(oracle: EnergyOracle, what: int, keeps_composition: bool = True) -> Move:
    parameters = np.array(oracle.lattice.shells(1)[0].neighbours), what
    return Move("as told", 2, keeps_composition, pick_as_told, parameters=parameters)


@cache
def run_example(kind: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / f"examples/extending/{kind}.py"))


@pytest.fixture(scope="module")
def neighbours() -> Move:
    """The move of the example, on fcc 2x2x2."""
    return dataclasses.replace(
        run_example("move")["move"], parameters=np.array(fcc_oracle().lattice.shells(1)[0].neighbours)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_example_finds_what_is_exact_and_is_on_the_page(kind: str) -> None:
    run_example(kind)  # ends with an assertion
    place = f"examples/extending/{kind}.py"
    assert len((ROOT / place).read_text(encoding="utf-8").splitlines()) <= LARGEST_EXAMPLE
    assert f"(../{place})" in (ROOT / "docs/extending.md").read_text(encoding="utf-8")


def test_all_28_levels_are_found_by_swaps_of_neighbours(neighbours: Move) -> None:
    settings = WangLandauSettings(runs=4, max_trials=3_000_000, precision=1e-9, observables=False)
    sampled = sample_density(fcc_oracle(), 16, settings, progress=False, move=neighbours)
    density = sampled.density
    assert density.visited.sum() == len(UNLIKE_BONDS)
    assert exact_fcc_error(density.mean_energy[density.visited], density.ln_g[density.visited]) < 0.1
    assert sampled.diagnostics()["move"] == "neighbours"
    assert sample_density(fcc_oracle(), 16, QUICK, progress=False).diagnostics()["move"] == "swap"


def state_after(engine: Engine, n_walkers: int) -> tuple[np.ndarray, ...]:
    walkers = fcc_walkers(n_walkers, 3)
    weights = flat_weights(FULL, walkers, 1.0, counting=True)
    weights.control["gain"] = kernels.ONE_OVER_T
    kept = make_snapshots(walkers, 3, 500)
    engine.advance(walkers, weights, 2000, kept)
    found = walkers.occupations, walkers.records, weights.bins, weights.control, weights.proposals
    return (*found, kept.occupations, kept.records)


def test_a_move_walks_alike_one_by_one_together_and_with_batched_energies(neighbours: Move) -> None:
    alone = Engine.fastest(fcc_oracle(), neighbours)
    assert alone.compiled is not None
    trial = alone.compiled.trial

    @njit
    def trials(parameters, occupations, cache, flips, energies):  # type: ignore[no-untyped-def]
        for walker in range(len(energies)):
            energies[walker] = trial(parameters, occupations[walker], cache[walker], flips[walker])

    together = dataclasses.replace(alone, compiled=dataclasses.replace(alone.compiled, trials=trials))
    batched = Engine.fastest(Uncompiled(fcc_oracle()), neighbours)
    assert batched.compiled is None
    wanted = state_after(alone, 3)
    for engine in (together, batched):
        for found, expected in zip(state_after(engine, 3), wanted, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert (np.diagonal(wanted[4]) > 0).any()  # trials that changed nothing are counted too
    assert wanted[3]["trials"][0] == 6000


def test_a_crowd_moves_so_too_whatever_the_number_of_threads(neighbours: Move) -> None:
    found = []
    for threads in (1, 2):
        settings = dataclasses.replace(QUICK, max_trials=10_000, walkers=80, threads=threads)
        found.append(sample_density(fcc_oracle(), 16, settings, progress=False, move=neighbours).density.run_ln_g)
    np.testing.assert_array_equal(*found)


def test_metropolis_finds_the_exact_energy_by_swaps_of_neighbours(neighbours: Move) -> None:
    kelvin = 4.0 / BOLTZMANN
    settings = MetropolisSettings(sweeps=10_000, precision=1e-6, observables=False, threads=1)
    result = sample_metropolis(fcc_oracle(), 16, [kelvin], settings, progress=False, move=neighbours)
    levels, counts = np.array(list(UNLIKE_BONDS), float), np.array(list(UNLIKE_BONDS.values()), float)
    chances = counts * np.exp((levels - levels.max()) / 4.0)
    assert abs(result.series.energies.mean() + levels @ chances / chances.sum()) < 0.1
    assert result.diagnostics()["move"] == "neighbours"


class ForTheDevice(Uncompiled):
    def on_device(self) -> Any:
        return self

    def advance(self, *_: object) -> None: ...


def test_an_accelerator_is_left_out_where_the_move_is_not_built_in(neighbours: Move) -> None:
    oracle = ForTheDevice(fcc_oracle())
    assert Engine.fastest(oracle, SWAP).device is oracle and Engine.fastest(oracle).device is oracle
    assert Engine.fastest(oracle, neighbours).device is None


@pytest.mark.parametrize(("what", "asked"), [(NEVER, 0), (ANY_TWO, 1)])
def test_no_energy_is_asked_for_where_no_move_is_possible(what: int, asked: int) -> None:
    oracle, rows = Uncompiled(bcc_oracle()), []
    walkers = make_walkers(oracle, 8, 1, np.random.SeedSequence(1))
    oracle.energies = lambda occupations: rows.append(len(occupations)) or np.zeros(len(occupations))  # type: ignore
    engine = Engine.fastest(oracle, as_told(oracle, what))
    engine.advance(walkers, flat_weights(EnergyGrid(-99.0, 100.0, 2), walkers, 0.1), 40)
    assert set(rows) == ({1} if asked else set()) and len(rows) <= 40


def test_loops_are_compiled_once_for_the_same_functions(neighbours: Move) -> None:
    from wanglandau.rounds import fused_loop

    assert fused_loop(neighbours) is fused_loop(dataclasses.replace(neighbours, name="other", parameters=()))
    assert fused_loop(neighbours) is not fused_loop(SWAP)


def test_the_check_of_stationarity_tells_right_from_wrong() -> None:
    oracle = bcc_oracle()
    built_in = Move("the same", 2, True, pick_swap, swap_places)
    assert check_stationarity(oracle, 8, built_in, n_walkers=20_000).holds
    wrong = check_stationarity(oracle, 8, as_told(oracle, RETRIES), n_walkers=20_000)
    assert not wrong.holds and wrong.bins_probability < 1e-20 and "NOT kept" in str(wrong)
    either = as_told(oracle, ANY_TWO, keeps_composition=False)
    assert check_stationarity(oracle, None, either, n_walkers=20_000).holds
    still = check_stationarity(oracle, 8, as_told(oracle, NEVER), n_walkers=20)
    assert not still.holds and "nothing moved" in str(still)
    with pytest.raises(InputError, match="at most 20"):
        check_stationarity(fcc_oracle(), 16)


def test_moves_that_do_not_fit_are_refused_before_they_run() -> None:
    oracle = bcc_oracle()
    for what, fault in ((TWICE, "twice"), (BEYOND, "none of the 16"), (ANY_TWO, "changes the composition")):
        with pytest.raises(InputError, match=fault):
            sample_density(oracle, 8, QUICK, move=as_told(oracle, what))
    with pytest.raises(InputError, match="keeps the composition, but all"):
        sample_density(oracle, None, dataclasses.replace(QUICK, ensemble="zero-field"), move=SWAP)
    with pytest.raises(InputError, match="changes the composition, but one"):
        sample_metropolis(oracle, 8, [300.0], MetropolisSettings(), move=Move("own", 1, False, pick_flip))
    with pytest.raises(InputError, match="allowed are 1 to 64"):
        Move("none", 0, True, pick_flip)


class Told:
    """Measures what it is told."""

    def __init__(self, names: tuple[str, ...] = ("told",), value: Any = 1.0, columns: int = 1) -> None:
        self.names, self.value, self.columns = names, value, columns

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        return np.full((len(occupations), self.columns), self.value)


def test_own_observables_come_after_the_standard_ones() -> None:
    oracle, settings = bcc_oracle(), dataclasses.replace(QUICK, observables=True)
    standard = [name for one in standard_observables(oracle.lattice) for name in one.names]
    measured = sample_density(oracle, 8, settings, progress=False, observables=[Told()]).averages
    assert list(measured[0].names) == [*standard, "told"]
    assert measured[0].total[:, -1].sum() == measured[0].count.sum() > 0
    alone = sample_density(oracle, 8, QUICK, progress=False, observables=[Told()]).averages
    assert alone[0].names == ("told",)


@pytest.mark.parametrize(
    ("observable", "fault"),
    [
        (Told(("a,b",)), "names a column 'a,b'"),
        (Told(("entropy_kb_per_atom",)), "results have already"),
        (Told(value=np.nan), "not finite"),
        (Told(columns=2), r"shape \(2, 2\)"),
        (ShortRangeOrder(bcc_oracle().lattice), "twice"),
        (object(), "lacks names or measure"),
    ],
)
def test_observables_that_do_not_fit_are_refused_before_the_work(observable: Any, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        sample_density(bcc_oracle(), 8, WangLandauSettings(), observables=[observable])


def test_no_observable_is_left_out_in_silence() -> None:
    for choices in ({"ensemble": "semigrand"}, {"production": False, "transitions": False}):
        with pytest.raises(InputError, match="an observable needs production"):
            sample_density(bcc_oracle(), 8, dataclasses.replace(QUICK, **choices), observables=[Told()])


def test_built_in_schedules_go_through_the_door_for_others() -> None:
    named = dataclasses.replace(QUICK, schedule="halving", production=False, transitions=False)
    found = sample_density(bcc_oracle(), 8, named, progress=False)
    unnamed = dataclasses.replace(named, schedule=None)
    given = sample_density(bcc_oracle(), 8, unnamed, progress=False, schedule=SCHEDULES["halving"])
    np.testing.assert_array_equal(found.density.run_ln_g, given.density.run_ln_g)
    assert found.diagnostics()["schedule"] == given.diagnostics()["schedule"] == "halving"
    with pytest.raises(InputError, match="schedule of your own"):
        sample_density(bcc_oracle(), 8, named, schedule=SCHEDULES["halving"])


def test_a_schedule_from_outside_decides_on_ln_f() -> None:
    quarters = run_example("schedule")["Quarters"]
    settings = dataclasses.replace(QUICK, production=False, transitions=False)
    sampled = sample_density(
        bcc_oracle(), 8, settings, progress=False, schedule=lambda stage, grid, settings: quarters(stage)
    )
    quartered = np.log(sampled.walks["ln_f"]) / np.log(4.0)
    assert (sampled.walks["ln_f"] < 0.1).all() and np.allclose(quartered % 1, (quartered % 1)[0])
    assert any("last phase of schedule Quarters" in reason for reason in judge(sampled).reasons)
