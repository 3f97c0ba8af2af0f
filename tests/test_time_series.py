"""Error bars of correlated series, held against processes whose autocorrelation time is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN
from wanglandau.time_series import (
    autocorrelation_function,
    autocorrelation_time,
    binder_cumulant,
    blocking_error,
    effective_sample_size,
    heat_capacity,
    jackknife,
    mean_with_error,
    r_hat,
)


def autoregressive(phi: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Stationary x(t) = phi x(t - 1) + noise of unit variance; tau = (1 + phi) / (1 - phi)."""
    noise = np.random.default_rng(seed).normal(size=shape) * np.sqrt(1 - phi**2)
    noise[..., 0] /= np.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise, axis=-1)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("n_chains", [1, 8])
def test_autocorrelation_time_of_a_known_process(phi: float, n_chains: int) -> None:
    expected = (1 + phi) / (1 - phi)
    n = int(4000 * expected / n_chains)
    measured = autocorrelation_time(autoregressive(phi, (n_chains, n), 1))
    spread = np.sqrt(2 * (2 * 5 * expected + 1) / (n * n_chains))  # N. Madras and A. Sokal, J. Stat. Phys. 50, 109
    assert abs(measured / expected - 1) < 4 * spread


def test_autocorrelation_function_of_a_known_process() -> None:
    rho = autocorrelation_function(autoregressive(0.8, (40, 20_000), 2))
    np.testing.assert_allclose(rho[:20], 0.8 ** np.arange(20), atol=0.01)


def test_autocorrelation_function_equals_the_plain_sum() -> None:
    chains = autoregressive(0.7, (3, 50), 3)
    deviation = chains - chains.mean()
    plain = [(deviation[:, : 50 - lag] * deviation[:, lag:]).sum() for lag in range(50)]
    np.testing.assert_allclose(autocorrelation_function(chains), np.array(plain) / plain[0], atol=1e-12)


def test_effective_samples_of_several_chains() -> None:
    chains = autoregressive(0.9, (4, 40_000), 4)
    assert effective_sample_size(chains) == pytest.approx(160_000 / 19, rel=0.1)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_error_bars_cover_the_truth_as_often_as_they_should(phi: float) -> None:
    tau = (1 + phi) / (1 - phi)
    runs = autoregressive(phi, (600, int(300 * tau)), 5)
    estimates = [mean_with_error(run) for run in runs]
    scores = np.array([estimate.mean / estimate.error for estimate in estimates])
    assert all(estimate.reliable for estimate in estimates)
    assert 0.62 < np.mean(np.abs(scores) < 1) < 0.74
    assert 0.92 < np.mean(np.abs(scores) < 2) < 0.98
    naive = np.abs(runs.mean(axis=1)) < 2 * runs.std(axis=1) / np.sqrt(runs.shape[1])
    assert phi == 0 or naive.mean() < 0.6  # ignoring the correlation shows


def test_blocking_agrees_with_the_autocorrelation_time() -> None:
    runs = autoregressive(0.9, (200, 8192), 6)
    blocked = [blocking_error(run) for run in runs]
    exact = np.sqrt(19 / 8192)
    assert np.mean([result.reliable for result in blocked]) > 0.98
    assert np.mean([result.error for result in blocked]) == pytest.approx(exact, rel=0.05)
    assert blocked[0].errors[0] < 0.3 * exact  # single records: no plateau yet
    spread = np.std([result.error for result in blocked])
    assert np.mean([result.uncertainty for result in blocked]) == pytest.approx(spread, rel=0.5)


def test_blocking_says_when_a_series_is_too_short() -> None:
    result = blocking_error(autoregressive(0.999, (1024,), 7))
    assert not result.reliable and result.error == result.errors.max()
    chains = blocking_error(autoregressive(0.5, (8, 1024), 8))
    assert chains.error == pytest.approx(np.sqrt(3 / 8192), rel=0.25)


def test_a_short_series_is_not_called_reliable() -> None:
    estimate = mean_with_error(autoregressive(0.99, (500,), 9))
    assert not estimate.reliable
    assert mean_with_error(autoregressive(0.5, (500,), 9)).reliable


def test_chains_stuck_in_different_places_are_not_called_reliable() -> None:
    chains = autoregressive(0.5, (2, 5000), 10) + np.array([[0.0], [5.0]])
    assert not mean_with_error(chains).reliable
    assert mean_with_error(chains[:1]).reliable and mean_with_error(chains[1:]).reliable
    assert mean_with_error(chains).error > 0.5


def test_constant_series() -> None:
    for series in (np.full(100, 0.1), np.full((3, 100), -7.3)):
        estimate = mean_with_error(series)
        assert (estimate.mean, estimate.error, estimate.tau) == (series.flat[0], 0.0, 1.0)
        assert estimate.effective_samples == series.size
        assert blocking_error(series).error == 0
        assert r_hat(series) == 1
    assert autocorrelation_function(np.full(5, 0.1)).tolist() == [1, 0, 0, 0, 0]


def test_r_hat() -> None:
    good = autoregressive(0.9, (4, 20_000), 11)
    assert r_hat(good) < 1.01
    assert r_hat(autoregressive(0.9, (2, 5000), 12) + np.array([[0.0], [1.0]])) > 1.1
    assert r_hat(good * np.array([[1.0], [1.0], [1.0], [3.0]])) > 1.1  # same place, other width: only folding sees it
    assert r_hat(good[0] + np.linspace(0, 3, 20_000)) > 1.1  # a drift in a single chain
    assert r_hat(np.sign(good)) < 1.01


def test_r_hat_of_constant_chains() -> None:
    assert r_hat(np.repeat([[1.0], [2.0]], 50, axis=1)) == np.inf
    assert 1.5 < r_hat(np.concatenate((np.ones((1, 200)), autoregressive(0.0, (1, 200), 13)))) < np.inf


def test_r_hat_does_not_care_about_the_scale_of_values() -> None:
    chains = autoregressive(0.5, (3, 1000), 14)
    distance = np.exp(3 * chains)
    ours = [r_hat(values) for values in (chains, 1e6 + 5 * chains)]
    assert ours[0] == pytest.approx(ours[1], rel=1e-9)
    assert r_hat(distance) < 1.02  # heavy tails


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_jackknife_error_of_a_nonlinear_function(phi: float) -> None:
    tau = (1 + phi) / (1 - phi)
    runs = 2 + autoregressive(phi, (400, int(300 * tau)), 15)
    results = [jackknife(lambda means: means[1] - means[0] ** 2, [run, run**2]) for run in runs]
    values = np.array([result.value for result in results])
    errors = np.array([result.error for result in results])
    assert np.mean([result.reliable for result in results]) > 0.97
    assert np.median([result.block_length for result in results]) == pytest.approx(5 * tau, rel=0.15, abs=1)
    assert abs(values.mean() - 1) < 4 * values.std() / 20
    assert np.mean(np.abs(values - 1) < errors) == pytest.approx(0.68, abs=0.08)
    short = [jackknife(lambda means: means[1] - means[0] ** 2, [run, run**2], 1) for run in runs[:50]]
    assert phi == 0 or np.mean([result.error for result in short]) < 0.5 * errors.mean()
    assert phi == 0 or not short[0].reliable


def test_jackknife_of_a_mean_is_the_mean_and_takes_bias_off() -> None:
    series = autoregressive(0.0, (1000,), 16)
    plain = jackknife(lambda means: means[0], [series], 1)
    assert plain.value == pytest.approx(series.mean(), abs=1e-14)
    assert plain.error == pytest.approx(series.std(ddof=1) / np.sqrt(1000), rel=1e-10)
    variance = jackknife(lambda means: means[1] - means[0] ** 2, [series, series**2], 1)
    assert variance.value == pytest.approx(series.var(ddof=1), rel=1e-10)


def test_heat_capacity_of_a_gaussian_energy() -> None:
    temperature, width = 300.0, 0.004
    energies = -5e3 + width * autoregressive(0.8, (4, 40_000), 17)
    exact = (width / (BOLTZMANN * temperature)) ** 2
    result = heat_capacity(energies, temperature)
    assert abs(result.value - exact) < 4 * result.error < 0.2 * exact


def test_binder_cumulant_in_and_out_of_order() -> None:
    gaussian = binder_cumulant(autoregressive(0.5, (4, 20_000), 18))
    assert abs(gaussian.value) < 4 * gaussian.error < 0.1
    ordered = np.random.default_rng(19).choice([-1.0, 1.0], 1000)
    assert binder_cumulant(ordered).value == pytest.approx(2 / 3)
    assert binder_cumulant(np.zeros(100)).value == 0


@pytest.mark.parametrize("series", [np.zeros(3), np.zeros((2, 2, 9)), np.zeros((0, 9)), np.array([1, 2, np.nan, 4, 5])])
def test_what_cannot_be_analysed_is_refused(series: np.ndarray) -> None:
    for function in (mean_with_error, blocking_error, r_hat):
        with pytest.raises(InputError, match="series"):
            function(series)


def test_jackknife_refuses_too_few_blocks_and_mixed_shapes() -> None:
    with pytest.raises(InputError, match="at least 2"):
        jackknife(lambda means: means[0], [np.arange(10.0)], 8)
    with pytest.raises(InputError, match="one shape"):
        jackknife(lambda means: means[0], [np.arange(10.0), np.arange(11.0)])
    with pytest.raises(InputError, match="above 0 K"):
        heat_capacity(np.arange(10.0), 0.0)
