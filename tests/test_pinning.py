"""ln g pinned to what is known of the ends of the energy range."""

from __future__ import annotations

import numpy as np
import pytest
from sampled_references import FCC, alloy
from scipy.special import logsumexp

from wanglandau import pinned_ends
from wanglandau.end_bins import LOOKS_PER_ORBIT, EndBin, count_configurations
from wanglandau.ordered_structures import ordered_structures
from wanglandau.pinning import pinned
from wanglandau.sampled_density import SampledDensity
from wanglandau.systems import System

TRIALS = 400_000


def chain(*links: int) -> np.ndarray:
    """Return as many trials up as down between neighbours of a row of bins, and many that stay."""
    counts = np.diag(np.full(len(links) + 1, 10**6))
    for place, count in enumerate(links):
        counts[place, place + 1] = counts[place + 1, place] = count
    return counts


def test_the_correction_is_shared_out_by_the_errors_of_the_steps() -> None:
    """All states but a few are in the last bin: the first is wrong by 1, which 1/30 and 1/10 share as 1 : 3."""
    ln_g = np.array([0.0, 3.0, 100.0])
    result = pinned(ln_g, chain(10, 30), {0: 1.0})
    assert result[[0, 2]] == pytest.approx([1.0, 100.0])
    assert result[1] == pytest.approx(3.0 + 0.25)


def test_both_ends_and_the_total_are_kept() -> None:
    rng = np.random.default_rng(1)
    truth = 40.0 - np.linspace(-6, 6, 25) ** 2
    noisy = truth + np.cumsum(rng.normal(0.0, 0.05, 25))
    noisy += logsumexp(truth) - logsumexp(noisy)
    result = pinned(noisy, chain(*[1000] * 24), {0: truth[0], 24: truth[24]})
    assert result[[0, 24]] == pytest.approx(truth[[0, 24]], abs=1e-9)
    assert logsumexp(result) == pytest.approx(logsumexp(truth), abs=1e-9)
    assert np.sqrt(np.mean((result - truth) ** 2)) < np.sqrt(np.mean((noisy - truth) ** 2))


def test_bins_apart_stay_as_they_are() -> None:
    ln_g = np.array([0.0, -np.inf, 2.0, 9.0, 4.0])
    counts = chain(50, 50, 50, 50)
    counts[3, 4] = 0  # seen one way only: no estimate of the difference
    result = pinned(ln_g, counts, {2: 2.5, 0: 7.0, 4: 1.0})
    assert result[2] == pytest.approx(2.5, abs=1e-9)
    assert (result[0], result[1]) == (pytest.approx(0.0, abs=1e-2), -np.inf)  # the normalisation alone
    assert result[4] == pytest.approx(4.0, abs=1e-2)


def test_nothing_known_changes_nothing() -> None:
    ln_g = np.array([0.0, 1.0, 2.0])
    assert pinned(ln_g, chain(5, 5), {}) is ln_g


def test_the_outermost_bin_replaces_others() -> None:
    rows = np.eye(4, dtype=np.int8)
    low, high = EndBin(-1), EndBin(1)
    for end in (low, high):
        end.look_at(np.array([5, 3, 5]), rows[:3])
        end.look_at(np.array([3, 4]), rows[[1, 3]])
        end.look_at(np.array([], dtype=np.int64), rows[:0])
    assert (low.place, sorted(low.looks.values())) == (3, [2])
    assert (high.place, sorted(high.looks.values())) == (5, [1, 1])
    low.look_at(np.array([1]), rows[:1])
    assert (low.place, list(low.looks)) == (1, [rows[0].tobytes()])


def test_configurations_are_counted_by_orbits(cuau: System) -> None:
    named = ordered_structures(cuau.lattice)
    rows = np.array([named["L1_0"], named["40"]])  # 6 and 12 configurations
    often = np.full(2, LOOKS_PER_ORBIT)
    assert count_configurations(cuau.lattice, rows, often) == 18
    image = rows[:1][:, cuau.lattice.symmetry[7]]
    assert count_configurations(cuau.lattice, np.concatenate([rows, image]), np.append(often, 1)) == 18
    assert count_configurations(cuau.lattice, rows, often - np.array([0, 1])) is None
    assert count_configurations(cuau.lattice, rows[:0], often[:0]) is None
    many = np.tile(rows, (300, 1))  # as 300 walks would report them: two configurations all the same
    assert count_configurations(cuau.lattice, many, np.ones(600, dtype=np.int64)) == 18


@pytest.fixture(scope="module")
def both() -> tuple[SampledDensity, SampledDensity]:
    """Return the same walks, pinned and as they are."""
    reference = alloy(FCC, 16)
    result = [reference.sample(TRIALS, runs=8, walkers=1, threads=2, pinned=pin) for pin in (True, False)]
    return result[0], result[1]


@pytest.mark.compiled
def test_sampled_ends_are_pinned_to_the_exact_numbers(both: tuple[SampledDensity, SampledDensity]) -> None:
    reference = alloy(FCC, 16)
    result, plain = both
    table = sorted(reference.table.items())
    levels = np.flatnonzero(result.density.visited)
    assert result.known == {int(levels[0]): table[-1][1], int(levels[-1]): table[0][1]} and not plain.known
    ends = result.density.run_ln_g[:, levels[[0, -1]]]
    assert ends == pytest.approx(np.log([[42.0, 12.0]] * 8), abs=1e-9)
    errors, before = reference.rms_of_runs(result.density), reference.rms_of_runs(plain.density)
    assert np.mean(errors**2) < 0.7 * np.mean(before**2)
    assert result.histogram_ln_g == pytest.approx(plain.density.run_ln_g)  # the free check stays free
    assert result.transition_mismatch == pytest.approx(plain.transition_mismatch)


@pytest.mark.compiled
def test_a_number_that_contradicts_the_walk_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the orbit of 36 of the 42 ground states had not been met."""
    monkeypatch.setattr(pinned_ends, "count_configurations", lambda *_: 6)
    result = alloy(FCC, 16).sample(TRIALS, runs=8, walkers=1, threads=2)
    levels = np.flatnonzero(result.density.visited)
    assert int(levels[0]) not in result.known


@pytest.mark.compiled
def test_a_single_run_is_pinned_if_its_round_trips_agree() -> None:
    reference = alloy(FCC, 16)
    result = reference.sample(8 * TRIALS, runs=1, walkers=1)
    table = sorted(reference.table.items())
    assert list(result.known.values()) == [table[-1][1], table[0][1]]
    assert reference.rms(result.density) < reference.rms_of_runs(result.density, result.histogram_ln_g)[0]
