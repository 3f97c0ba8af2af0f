"""Joining pieces of ln g, against a curve whose pieces, noise and faults are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from wanglandau.errors import InputError
from wanglandau.joining import Joined, join, seam_mismatch, seam_residuals, seam_significance, taper
from wanglandau.windows import choose_windows

N_BINS = 120
PLACE = np.linspace(-1.0, 1.0, N_BINS)
EXACT = 60.0 * np.sqrt(1.0 - 0.98 * PLACE**2)
EMPTY = np.isin(np.arange(N_BINS), [2, 3, 5, 31, 47, 90])


def mask_of(n_windows: int, overlap: float) -> np.ndarray:
    return choose_windows(N_BINS, n_windows, overlap, visited=~EMPTY).mask & ~EMPTY


def pieces_of(mask: np.ndarray, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pieces with offsets up to 1000 and white noise whose variance is noise^2 / weight."""
    random = np.random.default_rng(seed)
    weights = np.where(mask, random.uniform(0.5, 2.0, mask.shape), 0.0)
    scatter = noise * random.normal(size=mask.shape) / np.sqrt(np.where(mask, weights, 1.0))
    offsets = random.uniform(-1000.0, 1000.0, (len(mask), 1))
    return np.where(mask, EXACT + scatter + offsets, -np.inf), weights


def error_of(joined: Joined) -> np.ndarray:
    seen = np.isfinite(joined.ln_g)
    difference = np.where(seen, joined.ln_g - EXACT, np.nan)
    return difference - np.nanmean(difference)


@pytest.mark.parametrize(("n_windows", "overlap"), [(1, 0.5), (2, 0.5), (5, 0.25), (6, 0.5), (8, 0.8)])
def test_exact_pieces_give_the_exact_curve(n_windows: int, overlap: float) -> None:
    mask = mask_of(n_windows, overlap)
    joined = join(*pieces_of(mask, 0.0, 1))
    assert (np.isfinite(joined.ln_g) == ~EMPTY).all()
    assert np.nanmax(np.abs(error_of(joined))) < 1e-9
    assert joined.mismatch.shape == joined.tilt.shape == (n_windows - 1,) and joined.seams.shape == (n_windows - 1, 2)
    assert (joined.mismatch < 1e-9).all() and (np.abs(joined.tilt_across) < 1e-9).all()
    for k, (first, last) in enumerate(joined.seams):
        shared = np.flatnonzero(mask[k] & mask[k + 1])
        assert (first, last) == (shared[0], shared[-1])
        assert (np.isfinite(joined.residuals[k]) == (mask[k] & mask[k + 1])).all()


@pytest.mark.parametrize(("n_windows", "overlap"), [(4, 0.3), (7, 0.75)])
def test_noise_leaves_no_bias(n_windows: int, overlap: float) -> None:
    mask = mask_of(n_windows, overlap)
    errors = np.array([error_of(join(*pieces_of(mask, 0.1, seed))) for seed in range(400)])[:, ~EMPTY]
    mean, standard_error = errors.mean(axis=0), errors.std(axis=0) / 20.0
    assert (np.abs(mean) < 5.0 * standard_error).all()
    assert np.mean((mean / standard_error) ** 2) == pytest.approx(1.0, abs=0.6)
    assert np.sqrt(np.mean(errors**2)) < 0.12


def test_mismatch_of_white_noise_is_what_the_weights_say() -> None:
    mask = mask_of(3, 0.5)
    found = []
    for seed in range(300):
        pieces, weights = pieces_of(mask, 0.1, seed)
        joined = join(pieces, weights)
        both = mask[0] & mask[1]
        expected = 0.01 * both.sum() / np.sum(1.0 / (1.0 / weights[0, both] + 1.0 / weights[1, both]))
        found.append(joined.mismatch[0] ** 2 / expected)
    assert np.mean(found) == pytest.approx(1.0, abs=0.05)


def test_all_overlaps_are_used_at_once() -> None:
    # windows k and k + 1 share 3 poor bins, windows 0 and 2 many good ones
    mask = np.zeros((3, N_BINS), dtype=bool)
    mask[0, :60], mask[1, 20:70], mask[2, 30:] = True, True, True
    offsets = []
    for seed in range(200):
        pieces, weights = pieces_of(mask, 0.0, seed)
        random = np.random.default_rng(seed)
        weights = np.where(mask, np.array([[100.0], [0.01], [100.0]]), 0.0)
        noisy = pieces + random.normal(size=pieces.shape) / np.sqrt(np.where(mask, weights, 1.0))
        level = [pieces[k, mask[k]].mean() - EXACT[mask[k]].mean() for k in range(3)]
        offsets.append(join(noisy, weights).offsets[2] - (level[0] - level[2]))
    chained = 10.0 * np.sqrt(1.0 / 40 + 1.0 / 40)  # over window 1, whose bins scatter by 10
    assert np.std(offsets) < 0.05 < chained


@pytest.mark.parametrize(("n_windows", "overlap"), [(2, 0.5), (5, 0.25)])
def test_a_tilted_piece_is_found(n_windows: int, overlap: float) -> None:
    mask = mask_of(n_windows, overlap)
    pieces, weights = pieces_of(mask, 0.003, 3)
    pieces[1] += 0.02 * np.arange(N_BINS)
    joined = join(pieces, weights)
    assert joined.tilt[0] == pytest.approx(0.02, abs=0.003)
    assert joined.tilt_across[0] == pytest.approx(0.02 * np.ptp(joined.seams[0]), rel=0.15)
    assert joined.mismatch[0] == pytest.approx(0.02 * np.ptp(joined.seams[0]) / np.sqrt(12), rel=0.25)
    if n_windows > 2:
        assert joined.tilt[1] == pytest.approx(-0.02, abs=0.003)
        assert abs(joined.tilt[3]) < 0.003


def test_dropped_alignment_is_noticed() -> None:
    pieces, weights = pieces_of(mask_of(4, 0.5), 0.01, 4)
    good = join(pieces, weights)
    dropped = seam_mismatch(seam_residuals(pieces, weights, np.zeros(4)), weights)[0]
    assert (good.mismatch < 0.03).all() and (dropped > 1.0).all()
    wrong = good.offsets.copy()
    wrong[2] += 0.1
    shifted = seam_mismatch(seam_residuals(pieces, weights, wrong), weights)[0]
    assert shifted[[1, 2]] == pytest.approx([0.1, 0.1], rel=0.1) and shifted[0] < 0.03


def test_pieces_fade_so_that_disagreement_leaves_no_step() -> None:
    mask = mask_of(2, 0.5)
    pieces, weights = pieces_of(mask, 0.0, 5)
    weights = mask.astype(float)
    pieces[1] += 0.05 * np.arange(N_BINS)
    faded = join(pieces, weights)
    shared = faded.seams[0, 1] - faded.seams[0, 0] + 1
    disagreement = np.nanmax(np.abs(faded.residuals))

    def largest_step(ln_g: np.ndarray) -> float:
        return float(np.nanmax(np.abs(np.diff(np.where(EMPTY, np.nan, ln_g - EXACT)))))

    aligned = np.where(mask, pieces + faded.offsets[:, None], 0.0)
    abrupt = np.where(EMPTY, -np.inf, aligned.sum(axis=0) / np.maximum(mask.sum(axis=0), 1))
    assert largest_step(abrupt) > 0.4 * disagreement
    assert largest_step(faded.ln_g) < 6.0 * disagreement / shared < 0.2 * disagreement


def test_taper_falls_towards_neighbours_only() -> None:
    visited = np.zeros((2, 10), dtype=bool)
    visited[0, :6], visited[1, 3:] = True, True
    factors = taper(visited)
    assert factors[0] == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25, 1, 1, 1, 1])
    assert factors[1] == pytest.approx([1, 1, 1, 0.25, 0.5, 0.75, 1, 1, 1, 1])


def runs_of(n_runs: int, seed: int, tilt: float = 0.0, n_windows: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and weights of joined runs whose noise is a random walk along the bins, as that of sampling is."""
    mask = mask_of(n_windows, 0.4)
    random = np.random.default_rng(seed)
    weights = np.where(mask, np.random.default_rng(0).uniform(0.5, 2.0, mask.shape), 0.0)
    residuals = []
    for _ in range(n_runs):
        noise = 0.01 * random.normal(size=mask.shape).cumsum(axis=1) + 0.02 * random.normal(size=mask.shape)
        noise[1] += tilt * np.arange(N_BINS)
        residuals.append(join(np.where(mask, EXACT + noise, -np.inf), weights).residuals)
    return np.array(residuals), np.broadcast_to(weights, (n_runs, *mask.shape))


@pytest.mark.parametrize(("n_runs", "n_shapes"), [(8, 3), (5, 2), (3, 1)])
def test_p_values_of_pure_noise_are_uniform(n_runs: int, n_shapes: int) -> None:
    seams = [seam_significance(*runs_of(n_runs, seed)) for seed in range(400)]
    p_values = np.array([seam[0].p_value for seam in seams])
    assert kstest(p_values, "uniform").pvalue > 1e-3
    assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=0.035)
    assert {seam[1].freedom for seam in seams} == {n_shapes}
    assert np.mean([seam[0].sigma > 3.0 for seam in seams]) < 0.02


def test_bins_counted_one_by_one_would_cry_wolf() -> None:
    # the naive chi-square, summed over bins as if they were independent, finds one false fault in 370 only on paper
    naive, found = [], []
    for seed in range(300):
        seam = seam_significance(*runs_of(8, seed))[0]
        naive.append(chi2.sf(np.sum((seam.profile / seam.standard_error) ** 2), len(seam.bins) - 1))
        found.append(seam.sigma)
    assert np.mean(np.array(naive) < 0.0027) > 0.05
    assert np.mean(np.array(found) > 3.0) < 0.01


def test_a_fault_at_the_edge_alone_is_significant() -> None:
    residuals, weights = runs_of(12, 2)
    sound = seam_significance(residuals, weights)[0]
    residuals[:, 0, sound.bins[-1]] += 0.3
    faulty = seam_significance(residuals, weights)[0]
    assert sound.local_p_value > 0.01 and sound.sigma < 3.0
    assert faulty.local_p_value < 1e-4 and faulty.sigma > 3.0


def test_a_systematic_tilt_is_significant() -> None:
    seams = seam_significance(*runs_of(10, 1, tilt=0.02))
    assert all(seam.p_value < 1e-3 and seam.sigma > 3.0 for seam in seams)
    slope = np.polyfit(seams[0].bins, seams[0].profile, 1)[0]
    assert slope == pytest.approx(0.02, abs=0.004)
    assert seams[0].profile.shape == seams[0].standard_error.shape == seams[0].bins.shape
    sound = seam_significance(*runs_of(10, 1))
    assert all(seam.sigma < 3.0 for seam in sound)


def test_few_runs_or_bins_cannot_tell() -> None:
    for n_runs in (1, 2):
        seam = seam_significance(*runs_of(n_runs, 1))[0]
        assert seam.freedom == 0 and np.isnan(seam.p_value) and np.isnan(seam.chi_square) and np.isnan(seam.sigma)
    single = np.full((4, 1, 6), np.nan)
    single[:, 0, 3] = [0.1, 0.2, 0.1, 0.3]
    assert seam_significance(single, np.ones((4, 2, 6)))[0].freedom == 0


def test_runs_without_scatter_leave_no_doubt() -> None:
    residuals = np.zeros((4, 1, 6))
    assert seam_significance(residuals, np.ones((4, 2, 6)))[0].p_value == 1.0
    residuals += np.arange(6.0)
    seam = seam_significance(residuals, np.ones((4, 2, 6)))[0]
    assert seam.p_value == 0.0 and seam.sigma > 30


def test_a_gap_is_refused() -> None:
    mask = mask_of(3, 0.3)
    pieces, weights = pieces_of(mask, 0.0, 1)
    pieces[1, mask[0] & mask[1]] = -np.inf
    with pytest.raises(InputError, match="windows 0 and 1 have no visited bin in common: run longer"):
        join(pieces, weights)
    residuals, run_weights = runs_of(4, 1)
    residuals[2, 1] = np.nan
    with pytest.raises(InputError, match="windows 1 and 2 share no bin"):
        seam_significance(residuals, run_weights)


def test_malformed_pieces_are_refused() -> None:
    good = np.zeros((2, 4))
    for pieces, weights in (
        (good, np.ones((2, 3))),
        (good + np.nan, good + 1),
        (good + np.inf, good + 1),
        (good, good - 1),
        (good, good + np.inf),
        (good[:0], good[:0]),
    ):
        with pytest.raises(InputError):
            join(pieces, weights)
    with pytest.raises(InputError, match="need weights"):
        seam_significance(np.zeros((3, 1, 4)), np.ones((3, 1, 4)))
