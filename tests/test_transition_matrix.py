"""ln g from counted proposals, against the exact transition matrices of 16 atoms on bcc 2x2x2."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.special import logsumexp

from wanglandau.errors import InputError
from wanglandau.transition_matrix import (
    accepted_moves,
    diffusivity,
    eigenvalue_deviation,
    fit_transitions,
    flat_histogram_matrix,
    ln_g_from_transitions,
    relaxation_time,
    round_trip_time,
)

Counts = tuple[np.ndarray, np.ndarray, np.ndarray]


def exact_counts(second_shell: float) -> Counts:
    """Count all 64 swaps of all 12870 configurations of 8/8 atoms: proposals, trials, ln g.

    Sites 0-7 and 8-15 are the corners of the two interpenetrating cubes. First-shell bonds: all between them. Second
    shell: the edges of each cube, twice each, since the cell is two cubes wide.
    """
    spins = np.ones((comb(16, 8), 16), dtype=np.int64)
    for row, chosen in enumerate(combinations(range(16), 8)):
        spins[row, list(chosen)] = -1
    bonds = np.zeros((16, 16))
    bonds[:8, 8:] = bonds[8:, :8] = 1.0
    for site in range(16):
        for bit in (1, 2, 4):
            bonds[site, site ^ bit] = 2.0 * second_shell
    field = spins @ bonds
    energy = (spins * field).sum(axis=1) / 2.0
    levels = np.unique(np.round(energy, 6))
    place = np.searchsorted(levels, np.round(energy, 6))
    proposals = np.zeros((len(levels), len(levels)), dtype=np.int64)
    for a in range(16):
        for b in range(16):
            swap = (spins[:, a] == 1) & (spins[:, b] == -1)
            after = energy - 2.0 * (field[:, a] - field[:, b]) - 4.0 * bonds[a, b]
            target = np.searchsorted(levels, np.round(after[swap], 6))
            np.add.at(proposals, (place[swap], target), 1)
    states = np.bincount(place)
    return proposals, 64 * states, np.log(states / states.sum())


@pytest.fixture(scope="module")
def chain() -> Counts:
    """First shell alone: the levels form a chain."""
    return exact_counts(0.0)


@pytest.fixture(scope="module")
def net() -> Counts:
    """Two shells: every pair equation can be checked against others."""
    return exact_counts(0.5)


def noisy(counts: Counts, n: int, seed: int) -> Counts:
    """Independent trials, ``n`` from every level; the last category is the rest, 20 % of it outside the grid."""
    proposals, trials, _ = counts
    random = np.random.default_rng(seed)
    found = np.array([random.multinomial(n, row / total) for row, total in zip(proposals, trials, strict=True)])
    outside = random.binomial(np.diag(found), 0.2)
    found[np.diag_indices(len(found))] -= outside
    return found, np.full(len(found), n), counts[2]


def theory(counts: Counts, n: int) -> np.ndarray:
    """Covariance of ln g for ``n`` trials from each level, with the gauge logsumexp = 0.

    Poisson counts give the inverse Laplacian for ln(t/g); the trials t themselves, fixed here, would contribute 1/t.
    """
    proposals, trials, ln_g = counts
    flow = n * proposals / trials[:, None]
    np.fill_diagonal(flow, 0.0)
    weight = flow * flow.T / np.where(flow > 0, flow + flow.T, 1.0)
    covariance = np.linalg.inv(np.diag(weight.sum(axis=1)) - weight + weight.mean()) - np.eye(len(flow)) / n
    gauge = np.eye(len(flow)) - np.exp(ln_g)[None, :]
    return gauge @ covariance @ gauge.T


def test_the_enumeration_agrees_with_the_closed_form(chain: Counts) -> None:
    proposals, trials, ln_g = chain
    assert trials.tolist() == [64 * comb(8, a) ** 2 * (2 if a < 4 else 1) for a in range(5)]
    assert np.exp(ln_g) * 12870 == pytest.approx([2, 128, 1568, 6272, 4900])
    assert (proposals == proposals.T).all() and proposals.sum() == 64 * 12870


@pytest.mark.parametrize("system", ["chain", "net"])
def test_exact_counts_give_the_exact_density_of_states(system: str, request: pytest.FixtureRequest) -> None:
    proposals, trials, ln_g = request.getfixturevalue(system)
    fit = fit_transitions(proposals, trials)
    assert np.abs(fit.ln_g - ln_g).max() < 1e-10
    assert fit.chi_square < 1e-10
    assert logsumexp(fit.ln_g) == pytest.approx(0.0, abs=1e-12)


def test_weights_of_the_sampling_drop_out(net: Counts) -> None:
    proposals, trials, ln_g = net
    uneven = np.random.default_rng(3).integers(1, 1000, len(trials))
    assert np.abs(ln_g_from_transitions(proposals * uneven[:, None], trials * uneven) - ln_g).max() < 1e-10


@pytest.mark.parametrize("system", ["chain", "net"])
def test_error_falls_as_one_over_root_n_and_as_theory_says(system: str, request: pytest.FixtureRequest) -> None:
    counts = request.getfixturevalue(system)
    rms = []
    for n in (2_000, 32_000):
        errors = [ln_g_from_transitions(*noisy(counts, n, seed)[:2]) - counts[2] for seed in range(300)]
        expected = np.sqrt(np.diag(theory(counts, n)))
        measured = np.sqrt(np.mean(np.square(errors), axis=0))
        rms.append(np.sqrt(np.mean(np.square(errors))))
        assert rms[-1] == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.12)
        if n == 32_000:
            assert measured == pytest.approx(expected, rel=0.2)
            assert (np.abs(np.mean(errors, axis=0)) < 5 * expected / np.sqrt(300)).all()
    assert rms[0] / rms[1] == pytest.approx(4.0, rel=0.15)


def test_detailed_balance_holds_within_statistics(net: Counts) -> None:
    fits = [fit_transitions(*noisy(net, 10_000, seed)[:2]) for seed in range(200)]
    assert np.mean([fit.reduced_chi_square for fit in fits]) == pytest.approx(1.0, abs=0.04)
    p_values = np.array([fit.p_value for fit in fits])
    assert 0.4 < p_values.mean() < 0.6 and 0.02 < (p_values < 0.1).mean() < 0.2
    assert np.median([fit.largest_mismatch for fit in fits]) < 3.5


def test_a_chain_leaves_nothing_to_test(chain: Counts) -> None:
    fit = fit_transitions(*noisy(chain, 10_000, 1)[:2])
    assert fit.freedom == 0.0 and fit.chi_square == 0.0 and np.isnan(fit.rms_mismatch) and np.isnan(fit.p_value)


def test_broken_detailed_balance_is_noticed(net: Counts) -> None:
    proposals, trials, _ = noisy(net, 10_000, 1)
    sound = fit_transitions(proposals, trials)
    assert sound.rms_mismatch < 2 and sound.p_value > 1e-3
    i, j = np.unravel_index(np.argmax(np.triu(np.minimum(proposals, proposals.T), 1)), proposals.shape)
    one_sided = proposals.copy()
    one_sided[i, j] = 0
    lopsided = np.triu(proposals, 1) * 7 // 10 + np.tril(proposals)
    uneven_moves = proposals * (1 + (np.add.outer(np.arange(len(trials)), 2 * np.arange(len(trials))) % 3)) // 3
    for broken in (one_sided, lopsided, uneven_moves):
        fit = fit_transitions(broken, trials)
        assert fit.rms_mismatch > 3 and fit.largest_mismatch > 6 and fit.p_value < 1e-10


def test_rare_violations_together_are_noticed() -> None:
    # a common chain fixes ln g; the jump across it was never seen back, though backwards it should be the rule
    proposals = np.zeros((4, 4), dtype=np.int64)
    for b in range(3):
        proposals[b, b + 1], proposals[b + 1, b] = 300, 300_000
    trials = np.full(4, 1_000_000)
    assert fit_transitions(proposals, trials).chi_square == pytest.approx(0.0, abs=1e-12)
    proposals[0, 3] = 20
    fit = fit_transitions(proposals, trials)
    assert fit.largest_mismatch > 4 and fit.p_value < 1e-4


def test_bins_without_connection_are_minus_infinity() -> None:
    proposals = np.zeros((7, 7), dtype=np.int64)
    proposals[1, 2], proposals[2, 1], proposals[2, 3], proposals[3, 2] = 10, 20, 10, 20
    proposals[4, 5], proposals[5, 4] = 50, 50
    proposals[3, 6] = 1
    trials = np.array([0, 100, 100, 100, 900, 900, 0])
    ln_g = ln_g_from_transitions(proposals, trials)
    assert np.isfinite(ln_g).tolist() == [False, True, True, True, False, False, False]
    assert np.diff(ln_g[1:4]) == pytest.approx(-np.log(2.0))


def test_one_way_proposals_are_used_where_a_cycle_closes() -> None:
    proposals = np.array([[0, 30, 0], [0, 0, 30], [30, 0, 0]])
    assert ln_g_from_transitions(proposals, np.full(3, 100)) == pytest.approx(np.full(3, -np.log(3.0)))


def test_a_thousand_bins_over_many_orders_of_magnitude() -> None:
    place = np.linspace(-1.0, 1.0, 1000)
    ln_g = 400.0 * (np.sqrt(1.0 - 0.99 * place**2) - 1.0)
    ln_g -= logsumexp(ln_g)
    step = np.abs(np.subtract.outer(np.arange(1000), np.arange(1000)))
    rate = np.where((step > 0) & (step < 12), 0.02, 0.0)
    ideal = rate * np.exp(np.minimum(ln_g[None, :] - ln_g[:, None], 0.0))
    assert np.abs(ln_g_from_transitions(ideal * 1e9, np.full(1000, 1e9)) - ln_g).max() < 1e-8
    counts = np.random.default_rng(5).poisson(1e6 * ideal)
    fit = fit_transitions(counts, np.full(1000, 10**6))
    expected = np.sqrt(np.diag(theory((ideal * 1e9, np.full(1000, 1e9), ln_g), 10**6)).mean())
    assert 0.3 * expected < np.sqrt(np.mean((fit.ln_g - ln_g) ** 2)) < 2.5 * expected < 0.2
    assert fit.reduced_chi_square == pytest.approx(1.0, abs=0.05)


def test_flat_histogram_matrix_is_symmetric_and_stochastic(net: Counts) -> None:
    proposals, trials, ln_g = net
    matrix = flat_histogram_matrix(proposals, trials, ln_g)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(len(ln_g)))
    assert np.abs(matrix - matrix.T).max() < 1e-14
    missing = ln_g.copy()
    missing[2] = -np.inf
    part = flat_histogram_matrix(proposals, trials, missing)
    assert not part[2].any() and not part[:, 2].any()
    assert part.sum(axis=1)[np.isfinite(missing)] == pytest.approx(np.ones(len(ln_g) - 1))


def test_diffusivity_is_the_mean_square_step(chain: Counts) -> None:
    proposals, trials, ln_g = chain
    moves = accepted_moves(proposals, trials, ln_g) / trials[:, None]
    expected = [moves[b, max(b - 1, 0) : b + 2].sum() - moves[b, b] for b in range(5)]
    assert diffusivity(proposals, trials, ln_g) == pytest.approx(expected)
    assert np.isnan(diffusivity(proposals, trials, np.where(ln_g < -8, -np.inf, ln_g))[0])


def walk(matrix: np.ndarray, n_trials: int, seed: int) -> tuple[int, np.ndarray]:
    """Return the round trips between the end bins of a simulated walk, and its moves."""
    edges, random = np.cumsum(matrix, axis=1), np.random.default_rng(seed).random(n_trials)
    edges[:, -1] = 1.0
    here, target, trips, last = 0, len(matrix) - 1, 0, len(matrix) - 1
    moves = np.zeros_like(matrix)
    for u in random:
        after = int(np.searchsorted(edges[here], u, side="right"))
        moves[here, after] += 1
        here = after
        if here == target:
            trips, target = trips + (target == 0), last - target
    return trips, moves


def test_round_trip_time_is_that_of_a_simulated_walk(chain: Counts) -> None:
    matrix = flat_histogram_matrix(*chain)
    trips, _ = walk(matrix, 400_000, 1)
    assert 400_000 / trips == pytest.approx(round_trip_time(matrix), rel=0.05)


def test_times_of_uniform_diffusion() -> None:
    n, rate = 100, 0.1
    matrix = np.diag(np.full(n - 1, rate), 1) + np.diag(np.full(n - 1, rate), -1)
    matrix += np.diag(1.0 - matrix.sum(axis=1))
    assert relaxation_time(matrix) == pytest.approx(1.0 / (2 * rate * (1 - np.cos(np.pi / n))))
    assert round_trip_time(matrix) == pytest.approx(n * (n - 1) / rate)
    assert round_trip_time(matrix) == pytest.approx(np.pi**2 * relaxation_time(matrix), rel=0.02)
    split = matrix.copy()
    split[49, 50] = split[50, 49] = 0.0
    assert relaxation_time(split) == np.inf and round_trip_time(split) == np.inf
    assert relaxation_time(np.ones((1, 1))) == 0.0 == round_trip_time(np.ones((1, 1)))


def test_largest_eigenvalue_tells_wrong_weights(net: Counts) -> None:
    proposals, trials, ln_g = net
    flat = accepted_moves(proposals, trials, ln_g) / trials[:, None]
    assert eigenvalue_deviation(flat * 1e6) < 1e-12
    wrong = ln_g + 0.5 * np.sin(np.arange(len(ln_g)))
    visits = np.exp(ln_g - wrong)[:, None]
    moves = visits * flat_histogram_matrix(proposals, trials, wrong)
    assert np.abs(moves - moves.T).max() < 1e-12  # stationary under the wrong weights
    assert eigenvalue_deviation(moves * 1e6) > 0.03


def test_eigenvalue_of_counted_moves_approaches_one(chain: Counts) -> None:
    matrix = flat_histogram_matrix(*chain)
    runs = [[eigenvalue_deviation(walk(matrix, n, seed)[1]) for seed in range(6)] for n in (4_000, 128_000)]
    assert np.mean(runs[1]) < 0.05 and np.mean(runs[1]) < np.mean(runs[0]) / 5


@pytest.mark.parametrize(
    ("proposals", "trials"),
    [
        (np.zeros((3, 2)), np.ones(3)),
        (np.full((2, 2), -1), np.ones(2)),
        (np.full((2, 2), 5), np.array([10, 9])),
        (np.zeros((2, 2)), np.zeros(2)),
        (np.full((2, 2), np.nan), np.ones(2)),
    ],
)
def test_counts_that_cannot_be_are_refused(proposals: np.ndarray, trials: np.ndarray) -> None:
    with pytest.raises(InputError):
        fit_transitions(proposals, trials)


def test_no_moves_have_no_eigenvalue() -> None:
    with pytest.raises(InputError, match="no move"):
        eigenvalue_deviation(np.zeros((3, 3)))
