"""Every loop visits all bins evenly under exact weights, and loops with a fault do not."""

from __future__ import annotations

import numpy as np
import pytest
from exact_weights import (
    BCC,
    FULL,
    WIDTH,
    Uncompiled,
    bcc_oracle,
    bcc_table,
    binned,
    fcc_oracle,
    fcc_walkers,
    fcc_weights,
    freeze,
    rows_of,
    worst_deviation,
)
from faulty_rounds import RULES, advance_by_neighbours, advance_faulty

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import OracleError
from wanglandau.starting import drive_into
from wanglandau.walkers import (
    Walkers,
    Weights,
    Window,
    boltzmann_weights,
    count_proposals,
    flat_weights,
    make_snapshots,
    make_walkers,
)

MIDDLE = EnergyGrid.covering(-106.0, -94.0, WIDTH)
"""Seven levels at 16/16. A bin's visits in 1e6 trials scatter by 0.5 %, measured over eight seeds."""
BCC_MIDDLE = EnergyGrid.covering(-42.0, -22.0, WIDTH)
"""Nine levels of the bcc cell: visits in 1e6 trials scatter by 1.3 %, with bins of composition by 2.6 %."""
ONE_PER_CENT, TWO_PER_CENT = 0.01, 0.02


def bcc_walk(by_composition: bool, seed: int, grid: EnergyGrid = BCC_MIDDLE) -> tuple[Walkers, Weights]:
    engine, table = Engine.fastest(bcc_oracle()), bcc_table()
    walkers = make_walkers(engine.oracle, None, 4, np.random.SeedSequence(seed))
    drive_into(engine, walkers, Window(grid.start, grid.start + grid.width * grid.n_bins), BCC)
    weights = flat_weights(grid, walkers, 0.0, by_composition)
    exact = rows_of(table, grid) if by_composition else binned(table.over_compositions(), grid)
    return walkers, freeze(weights, exact)


@pytest.mark.compiled
def test_one_walker_is_flat_under_exact_weights() -> None:
    walkers = fcc_walkers(1, 12, MIDDLE)
    weights = fcc_weights(walkers, MIDDLE)
    Engine.fastest(fcc_oracle()).advance(walkers, weights, 6_000_000)
    assert worst_deviation(weights) < ONE_PER_CENT  # scatter 0.2 %


@pytest.mark.compiled
def test_flips_are_flat_under_exact_weights() -> None:
    walkers, weights = bcc_walk(by_composition=False, seed=3)
    Engine.fastest(bcc_oracle()).advance(walkers, weights, 3_000_000)
    assert worst_deviation(weights) < ONE_PER_CENT  # scatter 0.3 %


@pytest.mark.compiled
def test_flips_are_flat_in_bins_of_composition_and_energy() -> None:
    walkers, weights = bcc_walk(by_composition=True, seed=4)
    Engine.fastest(bcc_oracle()).advance(walkers, weights, 4_000_000)
    assert worst_deviation(weights) < TWO_PER_CENT  # scatter 0.6 %; 1 % in the long test
    row = walkers.records["composition"] * BCC_MIDDLE.n_bins
    assert np.array_equal(walkers.records["bin"], row + BCC_MIDDLE.index(walkers.records["energy"]))
    assert np.array_equal(walkers.records["composition"], walkers.occupations.sum(axis=1))


@pytest.mark.long
def test_whole_spectra_are_flat_within_one_per_cent() -> None:
    walkers = fcc_walkers(4, 13)
    weights = fcc_weights(walkers, FULL)
    Engine.fastest(fcc_oracle()).advance(walkers, weights, 400_000_000)  # scatter 0.25 %
    assert worst_deviation(weights) < ONE_PER_CENT
    for by_composition, n_rounds in ((False, 60_000_000), (True, 100_000_000)):
        walkers, weights = bcc_walk(by_composition, 5, BCC)
        Engine.fastest(bcc_oracle()).advance(walkers, weights, n_rounds)
        assert worst_deviation(weights) < ONE_PER_CENT


@pytest.mark.compiled
@pytest.mark.parametrize("by_composition", [False, True])
@pytest.mark.parametrize("n_walkers", [1, 5])
def test_batched_flips_walk_through_the_same_states(by_composition: bool, n_walkers: int) -> None:
    oracle, states = bcc_oracle(), []
    for engine in (Engine.fastest(oracle), Engine(Uncompiled(oracle))):
        walkers = make_walkers(oracle, None, n_walkers, np.random.SeedSequence(7))
        weights = flat_weights(EnergyGrid.covering(-48.0, 0.0, WIDTH), walkers, 1.0, by_composition, counting=True)
        weights.control["gain"] = kernels.ONE_OVER_T
        engine.advance(walkers, weights, 2000)
        states.append((walkers, weights))
    assert_same(*states)


@pytest.mark.compiled
@pytest.mark.parametrize("n_walkers", [1, 5])
def test_batched_swaps_walk_through_the_same_states(n_walkers: int) -> None:
    oracle, states, snapshots = fcc_oracle(), [], []
    for engine in (Engine.fastest(oracle), Engine(Uncompiled(oracle))):
        walkers = fcc_walkers(n_walkers, 3, MIDDLE)
        weights = flat_weights(MIDDLE, walkers, 1.0, counting=True)
        weights.control["gain"] = kernels.ONE_OVER_T
        kept = make_snapshots(walkers, 4, 500)
        engine.advance(walkers, weights, 2100, kept)
        states.append((walkers, weights))
        snapshots.append(kept)
    assert_same(*states)
    assert np.array_equal(snapshots[0].occupations, snapshots[1].occupations)
    assert np.array_equal(snapshots[0].records, snapshots[1].records)
    assert np.array_equal(oracle.energies(snapshots[0].occupations[3]), snapshots[0].records["energy"][3])
    assert states[0][0].records["out_of_range"].sum() > 0


def assert_same(fused: tuple[Walkers, Weights], batched: tuple[Walkers, Weights]) -> None:
    assert np.array_equal(fused[0].occupations, batched[0].occupations)
    assert np.array_equal(fused[0].sites, batched[0].sites)
    assert np.array_equal(fused[0].records, batched[0].records)
    assert np.array_equal(fused[1].bins, batched[1].bins)
    assert np.array_equal(fused[1].control, batched[1].control)
    assert np.array_equal(fused[1].proposals, batched[1].proposals)


def deviation_by_rule(rule: str, n_rounds: int) -> float:
    walkers = fcc_walkers(4, 11, MIDDLE)
    weights = fcc_weights(walkers, MIDDLE)
    advance_faulty(fcc_oracle().compiled(), walkers, weights, n_rounds, rule)
    return worst_deviation(weights)


@pytest.mark.compiled
def test_honest_loop_is_flat() -> None:
    assert deviation_by_rule("honest", 1_000_000) < ONE_PER_CENT


@pytest.mark.compiled
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "honest"])
def test_a_broken_rule_is_not_flat(rule: str) -> None:
    assert deviation_by_rule(rule, 100_000) > 10 * ONE_PER_CENT


@pytest.mark.compiled
def test_swaps_of_unlike_neighbours_need_the_ratio_of_proposals() -> None:
    oracle = fcc_oracle()
    pairs = oracle.lattice.shells(1)[0].neighbours
    bonds = np.array([(site, other) for site, row in enumerate(pairs) for other in row if site < other], np.int32)
    deviations = {}
    for with_ratio, n_rounds in ((True, 500_000), (False, 250_000)):
        walkers = fcc_walkers(4, 21, MIDDLE)
        weights = fcc_weights(walkers, MIDDLE)
        advance_by_neighbours(oracle.compiled(), walkers, weights, bonds, n_rounds, with_ratio)
        deviations[with_ratio] = worst_deviation(weights)
        assert np.array_equal(oracle.energies(walkers.occupations), walkers.records["energy"])
    assert deviations[True] < TWO_PER_CENT
    assert deviations[False] > 2 * TWO_PER_CENT  # unlike pairs vary by 12 % over these levels


def edge_case(state: list[int], gain: float) -> bool:
    """Decide on a trial that loses so much weight, with a random stream in a given state."""
    record = np.zeros(1, dtype=kernels.WALKER)
    record["random_state"] = np.array(state, dtype=np.uint64)
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["inverse_width"], control["energy_bins"] = 1.0, 2
    bins = np.zeros(2, dtype=kernels.BIN)
    bins["seen"], bins["ln_g"][1] = 1, -gain
    return bool(kernels.decide(record[0], bins, control[0], 1.5, 0, 0.0))


def test_the_random_number_is_above_zero_and_at_most_one() -> None:
    zero = [0, 1, 2, 0]  # 64 zero bits next
    assert kernels.next_random(np.array(zero, dtype=np.uint64)) == 0
    assert edge_case(zero, -36.7)
    assert not edge_case(zero, -36.8)  # 2**-53 is exp(-36.74)
    assert not edge_case(zero, -1e9)
    with np.errstate(divide="ignore"):
        assert np.log(0.0) < -1e9  # a logarithm of [0, 1) would have accepted it
    ones = [2**64 - 1, 1, 2, 0]  # rotated and added: 2**64 - 2, whose first 53 bits are all ones
    assert kernels.next_random(np.array(ones, dtype=np.uint64)) >> np.uint64(11) == 2**53 - 1
    assert not edge_case(ones, -1e-12)
    assert edge_case(ones, 0.0)


def test_small_increments_survive_on_a_large_ln_g() -> None:
    walkers = fcc_walkers(1, 1, MIDDLE)
    weights = flat_weights(MIDDLE, walkers, 1e-7)
    here = int(walkers.records["bin"][0])
    weights.bins["seen"], weights.bins["ln_g"] = 1, 2e7
    single = np.float32(2e7)
    for _ in range(1000):
        kernels.record(walkers.records[0], weights.bins, weights.control[0], weights.proposals)
        single += np.float32(1.0)
    assert weights.bins["ln_g"][here] - 2e7 == pytest.approx(1e-4, rel=0.05)
    assert single == np.float32(2e7)  # single precision loses even visits at ln f = 1 beyond 2**24


def test_every_trial_counts_whether_accepted_or_not() -> None:
    walkers = fcc_walkers(3, 4)
    weights = flat_weights(FULL, walkers, 1.0, counting=True)
    Engine.fastest(fcc_oracle()).advance(walkers, weights, 1000)
    assert weights.control["trials"] == weights.bins["visits"].sum() == weights.proposals.sum() == 3000
    assert 0 < walkers.records["accepted"].sum() < 3000
    assert weights.control["bins_seen"] == weights.control["bins_found"] == weights.bins["seen"].sum()
    seen = np.flatnonzero(weights.bins["seen"])
    assert (weights.control["lowest_seen"], weights.control["highest_seen"]) == (seen[0], seen[-1])


def test_a_new_bin_begins_at_the_lowest_ln_g_there_is() -> None:
    walkers = fcc_walkers(1, 4, MIDDLE)
    weights = flat_weights(MIDDLE, walkers, 0.25)
    here = int(walkers.records["bin"][0])
    weights.bins["seen"], weights.bins["ln_g"] = 1, np.arange(7) + 10.0
    weights.bins["seen"][here], weights.bins["ln_g"][here] = 0, 0.0
    lowest = 10.0 if here else 11.0
    assert kernels.weight_of(weights.bins, weights.control[0], here) == lowest
    kernels.record(walkers.records[0], weights.bins, weights.control[0], weights.proposals)
    assert weights.bins["ln_g"][here] == lowest + 0.25
    assert weights.control["bins_found"] == 1


def test_energies_in_a_bin_give_its_mean_and_variance() -> None:
    grid = EnergyGrid(-128.9, 6.0, 12)
    walkers = fcc_walkers(1, 6)
    weights = flat_weights(grid, walkers, 0.0)
    kept = make_snapshots(walkers, 500, 1)
    Engine.fastest(fcc_oracle()).advance(walkers, weights, 500, kept)
    energies = kept.records["energy"][:, 0]
    for place in np.flatnonzero(weights.bins["visits"]):
        inside = energies[grid.index(energies) == place] - grid.centres[place]
        row = weights.bins[place]
        assert (row["visits"], row["energy_sum"]) == (len(inside), pytest.approx(inside.sum()))
        assert row["energy_square_sum"] == pytest.approx((inside**2).sum())


@pytest.mark.compiled
def test_counted_proposals_obey_detailed_balance() -> None:
    walkers = fcc_walkers(4, 8, MIDDLE)
    weights = fcc_weights(walkers, MIDDLE)
    count_proposals(weights)
    Engine.fastest(fcc_oracle()).advance(walkers, weights, 500_000)
    exact, counts = weights.bins["ln_g"], weights.proposals
    rate = counts[:, :-1] / counts.sum(axis=1, keepdims=True)
    there, back = rate[2, 3], rate[3, 2]
    assert np.log(there / back) == pytest.approx(exact[3] - exact[2], abs=0.02)
    assert counts[0, -1] > 0 and counts[:, -1].sum() == walkers.records["out_of_range"].sum()


@pytest.mark.compiled
def test_boltzmann_weight_gives_the_exact_canonical_energy() -> None:
    from known_levels import UNLIKE_BONDS

    unlike, count = np.array(list(UNLIKE_BONDS)), np.array(list(UNLIKE_BONDS.values()), dtype=float)
    boltzmann = count * np.exp(0.5 * (unlike - 128.0))
    exact = -(unlike * boltzmann).sum() / boltzmann.sum()
    engine = Engine.fastest(fcc_oracle())
    walkers = make_walkers(engine.oracle, 16, 8, np.random.SeedSequence(2))
    weights, energies = boltzmann_weights(walkers, 0.5), []
    for _ in range(400):
        engine.advance(walkers, weights, 200)
        energies.append(walkers.records["energy"].mean())
    blocks = np.array(energies[40:]).reshape(20, -1).mean(axis=1)
    assert abs(blocks.mean() - exact) < 5 * blocks.std(ddof=1) / np.sqrt(len(blocks))


@pytest.mark.compiled
def test_boltzmann_weight_with_a_field_gives_the_exact_composition() -> None:
    field, beta = 0.3, 0.05
    rows = [(n, -u, g) for n, table in bcc_table().counts.items() for u, g in table.items()]
    number, energy, count = np.array(rows, dtype=float).T
    chance = count * np.exp(field * number - beta * energy)
    exact = (number * chance).sum() / chance.sum()
    engine = Engine.fastest(bcc_oracle())
    walkers = make_walkers(engine.oracle, None, 8, np.random.SeedSequence(2))
    weights, found = boltzmann_weights(walkers, beta, field), []
    for _ in range(400):
        engine.advance(walkers, weights, 100)
        found.append(walkers.records["composition"].mean())
    blocks = np.array(found[40:]).reshape(20, -1).mean(axis=1)
    assert abs(blocks.mean() - exact) < 5 * blocks.std(ddof=1) / np.sqrt(len(blocks))
    assert abs(exact - 8.0) > 0.9  # the field matters


def test_energies_that_drift_are_an_error() -> None:
    engine = Engine.fastest(fcc_oracle())
    walkers = fcc_walkers(2, 1)
    walkers.records["energy"][1] += 2.0
    with pytest.raises(OracleError, match="drifted by 2 Ry"):
        engine.advance(walkers, flat_weights(FULL, walkers, 1.0), 10)


def test_half_trips_count_passages_between_the_ends() -> None:
    walkers = fcc_walkers(1, 1, MIDDLE)
    weights = flat_weights(MIDDLE, walkers, 0.0)
    weights.bins["seen"] = 1
    weights.control["lowest_seen"], weights.control["highest_seen"] = 0, 6
    trips = []
    for place in (3, 0, 2, 0, 6, 5, 6, 0, 3, 6):
        walkers.records["bin"] = place
        kernels.record(walkers.records[0], weights.bins, weights.control[0], weights.proposals)
        trips.append(int(walkers.records["half_trips"][0]))
    assert trips == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
