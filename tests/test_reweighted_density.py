"""Reweighting a cheap density of states to a dear oracle, against exact enumeration of the dear one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cheap_and_dear import (
    BCC,
    CHEAP,
    CHEAP_BCC,
    DEAR,
    DEAR_BCC,
    FCC,
    MEV,
    Watched,
    density_of,
    exact_ln_g,
    exact_of,
    levels_of,
)

from wanglandau.bin_samples import Looks, listed_orbits, look_into_bins, make_strata
from wanglandau.cli import main
from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.orbits import canonical_keys, enumerate_orbits
from wanglandau.pair_model import PairOracle
from wanglandau.reweighted_density import DearDensity, DearThermodynamics, ReweightedDensity
from wanglandau.reweighted_file import read_reweighted
from wanglandau.reweighted_inspection import judge_reweighting
from wanglandau.reweighted_sampling import Reweighting, reweight
from wanglandau.reweighted_settings import ReweightingSettings
from wanglandau.thermodynamics import heat_capacity_peak, thermodynamics

TEMPERATURES = np.arange(400.0, 3000.0, 20.0)
CURVES = ("internal_energy", "heat_capacity", "free_energy", "entropy")


@cache
def of_fcc(seed: int, cheap: DensityOfStates | None = None, **changes: object) -> Reweighting:
    settings = replace(ReweightingSettings(calls=800, seed=seed), **changes)  # type: ignore[arg-type]
    return reweight(CHEAP, cheap or density_of(CHEAP, 16, 150), DEAR, settings, TEMPERATURES, progress=False)


@cache
def looks_at_fcc() -> Looks:
    density = density_of(CHEAP, 16, 150)
    return look_into_bins(Engine.fastest(CHEAP), density, 200, np.random.SeedSequence(1))


def worst_curve(curves: DearThermodynamics) -> float:
    """Largest deviation of any curve from the exact one, in standard errors."""
    truth, errors = thermodynamics(levels_of(DEAR, 16), curves.thermal.temperatures), curves.thermal.standard_error
    scores = [(getattr(curves.thermal, name) - getattr(truth, name)) / getattr(errors, name) for name in CURVES]
    return float(np.abs(scores).max())


def bin_scores(density: DearDensity) -> np.ndarray:
    """Deviations of ln g from the exact one in standard errors, by bin that has states in both."""
    exact = exact_ln_g(DEAR, 16, density.grid)
    both = np.isfinite(density.ln_g) & np.isfinite(exact) & (density.standard_error > 0)
    return (density.ln_g[both] - exact[both]) / density.standard_error[both]


def noisy(density: DensityOfStates, noise: float, n_runs: int, seed: int) -> DensityOfStates:
    """Stand in for a sampled density of states: runs that scatter about the exact one."""
    scatter = noise * np.random.default_rng(seed).normal(size=(n_runs, density.grid.n_bins))
    runs = normalised(density.run_ln_g + scatter, density.n_sites, density.composition)
    return replace(density, run_ln_g=runs, exact=False)


@pytest.mark.compiled
def test_dear_density_and_thermodynamics_hold_the_exact_ones() -> None:
    found = of_fcc(1)
    curves, density = found.density.thermodynamics(TEMPERATURES), found.density
    binned = density.density(density.default_grid(0.0))
    scores, truth = bin_scores(binned), heat_capacity_peak(levels_of(DEAR, 16), TEMPERATURES)
    assert found.diagnostics["calls"] <= 800 and len(scores) > 60
    assert (np.abs(scores) < 1).mean() > 0.55 and (np.abs(scores) < 2).mean() > 0.85
    exact = exact_ln_g(DEAR, 16, binned.grid)
    both = np.isfinite(binned.ln_g) & np.isfinite(exact)
    assert float(np.sqrt(np.mean((binned.ln_g[both] - exact[both]) ** 2))) < 0.5
    assert np.logaddexp.reduce(binned.ln_g) == pytest.approx(np.logaddexp.reduce(levels_of(DEAR, 16).ln_g), abs=1e-9)
    assert worst_curve(curves) < 4 and curves.trusted.all()
    assert curves.peak.inside and curves.peak.temperature_error < 20
    assert abs(curves.peak.temperature - truth.temperature) < 3 * curves.peak.temperature_error
    assert abs(curves.peak.height - truth.height) < 3 * curves.peak.height_error


@pytest.mark.compiled
def test_the_cheap_energies_taken_for_the_dear_ones_fail_the_same_assertions() -> None:
    found = of_fcc(1).density
    cheap = replace(found, energies=found.cheap_energies)
    scores = bin_scores(cheap.density(found.default_grid(0.0)))
    assert worst_curve(cheap.thermodynamics(TEMPERATURES)) > 20
    assert (np.abs(scores) < 2).mean() < 0.5


@pytest.mark.compiled
def test_a_perfect_cheap_oracle_gives_the_density_back() -> None:
    settings = ReweightingSettings(calls=400, seed=2)
    found = reweight(DEAR, density_of(DEAR, 16, 150), DEAR, settings, progress=False)
    curves = found.density.thermodynamics(TEMPERATURES)
    assert worst_curve(curves) < 4 and found.diagnostics["rms_difference"] == 0.0
    assert (curves.spread == 0).all() and (curves.unseen == 0).all()


@pytest.mark.compiled
def test_errors_of_the_cheap_density_are_carried_on() -> None:
    exact = density_of(CHEAP, 16, 150)
    curves = of_fcc(1, noisy(exact, 0.3, 8, 5)).density.thermodynamics(TEMPERATURES)
    plain = of_fcc(1).density.thermodynamics(TEMPERATURES)
    assert curves.thermal.standard_error is not None and plain.thermal.standard_error is not None
    assert worst_curve(curves) < 4.5
    place = int(np.searchsorted(TEMPERATURES, 800.0))
    more = curves.thermal.standard_error.free_energy[place] / plain.thermal.standard_error.free_energy[place]
    assert more > 1.1


@pytest.mark.compiled
def test_neyman_allocation_lowers_errors() -> None:
    even = of_fcc(4).density.thermodynamics(TEMPERATURES)
    better = of_fcc(4, allocation="neyman").density.thermodynamics(TEMPERATURES)
    assert worst_curve(better) < 4.5
    assert better.peak.temperature_error < 0.95 * even.peak.temperature_error
    assert np.median(better.effective) > 1.3 * np.median(even.effective)


@pytest.mark.compiled
def test_looks_are_uniform_inside_a_bin() -> None:
    density = density_of(CHEAP_BCC, 8, 12)
    looks = look_into_bins(Engine.fastest(CHEAP_BCC), density, 3000, np.random.SeedSequence(3))
    orbits = enumerate_orbits(BCC, 8)
    bins = density.grid.index(CHEAP_BCC.energies(orbits.occupations()))
    keys = canonical_keys(BCC.symmetry, looks.occupations)
    scores = []
    for place in np.unique(bins):
        members = np.flatnonzero(bins == place)
        met = keys[looks.bins == place]
        counts = np.array([(met == key).sum() for key in orbits.keys[members].astype(np.uint64)])
        share = orbits.sizes[members] / orbits.sizes[members].sum()
        assert counts.sum() == len(met)
        scores += ((counts - len(met) * share) / np.sqrt(len(met) * share * (1 - share) + 1e-9)).tolist()
    assert np.array_equal(np.unique(looks.bins), np.unique(bins))
    assert float(np.sqrt(np.mean(np.square(scores)))) < 1.8  # looks of one walker know a little of each other


@pytest.mark.compiled
def test_bins_of_few_orbits_are_listed_and_counted() -> None:
    density = density_of(CHEAP, 16, 150)
    looks = looks_at_fcc()
    strata = make_strata(density, FCC, looks, 400, 4, True, np.random.default_rng(1))
    lowest = strata.listed[0]
    assert lowest is not None and strata.counted[0] and lowest[1].sum() == exact_of(CHEAP, 16).degeneracies[0]
    batch = strata.list_orbits()
    assert len(batch.occupations) <= 200 and (batch.occupations.sum(axis=1) == 16).all()
    assert len(np.unique(canonical_keys(FCC.symmetry, batch.occupations))) == len(batch.occupations)
    assert np.logaddexp.reduce(strata.run_ln_g[0]) == pytest.approx(np.logaddexp.reduce(density.ln_g), abs=1e-3)
    without = make_strata(density, FCC, looks, 400, 4, False, np.random.default_rng(1))
    assert not without.counted.any() and len(without.members) == 100
    few = looks.occupations[looks.bins == looks.bins.min()]
    assert listed_orbits(FCC, few[:3]) is None  # met too rarely to tell


@pytest.mark.compiled
def test_draws_follow_ln_g_within_a_stratum() -> None:
    density = density_of(CHEAP, 16, 150)
    looks = looks_at_fcc()
    strata = make_strata(density, FCC, looks, 20, 4, False, np.random.default_rng(1))
    numbers = np.zeros(len(strata.members), dtype=np.int64)
    numbers[0] = 2000
    batch = strata.draw(numbers, np.random.default_rng(2))
    drawn = np.bincount(density.grid.index(CHEAP.energies(batch.occupations)), minlength=density.grid.n_bins)
    members = strata.members[0]
    share = np.exp(density.ln_g[members] - np.logaddexp.reduce(density.ln_g[members]))
    assert drawn.sum() == drawn[members].sum() and np.abs(drawn[members] - 2000 * share).max() <= 1.0 + 1e-9


@pytest.mark.compiled
def test_same_seed_asks_for_the_same_configurations_once_each() -> None:
    asked = [Watched(DEAR), Watched(DEAR), Watched(DEAR)]
    seeds = (1, 1, 2)
    density = density_of(CHEAP, 16, 150)
    for dear, seed in zip(asked, seeds, strict=True):
        settings = ReweightingSettings(calls=300, allocation="neyman", seed=seed)
        found = reweight(CHEAP, density, dear, settings, TEMPERATURES, progress=False)
        assert found.diagnostics["calls"] == dear.asked <= 300 and len(dear.batches) == 2
    first, again, other = (np.concatenate(dear.batches) for dear in asked)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.compiled
def test_weak_overlap_is_named_and_not_trusted() -> None:
    far = PairOracle(FCC, [60 * MEV, -150 * MEV])
    found = reweight(CHEAP, density_of(CHEAP, 16, 150), far, ReweightingSettings(calls=100), progress=False)
    curves = found.density.thermodynamics(np.array([300.0, 600.0, 1e6]))
    verdict = judge_reweighting(curves, found.diagnostics | {"source_exact": True})
    assert not verdict.trusted and curves.trusted.tolist()[0] is False and curves.trusted[-1]
    assert "the two oracles differ by" in verdict.reasons[0] and "more than all the weight" in verdict.reasons[0]
    assert "Trust these averages at 1e+06 K only" in verdict.summary
    few = replace(curves, effective=np.array([5.0, 30.0, 100.0]), unseen=np.zeros(3))
    lacking = judge_reweighting(few, found.diagnostics | {"source_exact": True})
    assert "5.0 effective samples carry 300 K" in lacking.reasons[0] and "some 600 --calls" in lacking.reasons[0]
    assert "Trust these averages at 600 to 1e+06 K only" in lacking.summary
    poor = judge_reweighting(curves, found.diagnostics | {"source_trusted": False})
    assert poor.summary.startswith("Do not trust") and any("--runs" in reason for reason in poor.reasons)


@pytest.mark.compiled
def test_a_cell_of_few_orbits_is_listed_and_exact() -> None:
    for allocation in ("even", "neyman"):
        settings = replace(ReweightingSettings(calls=60, looks=2000), allocation=allocation)  # type: ignore[arg-type]
        found = reweight(CHEAP_BCC, density_of(CHEAP_BCC, 4, 40), DEAR_BCC, settings, progress=False)
        assert found.density.counted.all() and found.diagnostics["calls"] <= 60
        curves, truth = found.density.thermodynamics(TEMPERATURES), thermodynamics(levels_of(DEAR_BCC, 4), TEMPERATURES)
        assert np.allclose(curves.thermal.free_energy, truth.free_energy, rtol=0, atol=1e-10)
        assert np.allclose(curves.thermal.heat_capacity, truth.heat_capacity, atol=1e-7) and curves.trusted.all()


def test_impossible_input_is_refused() -> None:
    density = density_of(CHEAP_BCC, 8, 12)
    with pytest.raises(InputError, match="give two of one lattice"):
        reweight(CHEAP_BCC, density, DEAR, ReweightingSettings(), progress=False)
    with pytest.raises(InputError, match="calls is 3; allowed are 20"):
        ReweightingSettings(calls=3)


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, bonds in (("dear", "[-50.0, 8.0]"), ("cheap", "[-58.0, 6.0]")):
        (tmp_path / f"{name}.toml").write_text(f'unlike_bond_energies = {bonds}\nunits = "meV"\n')
    (tmp_path / "bcc.toml").write_text(
        'species = ["Fe", "Pt"]\nstructure = "bcc"\nlattice_constant = 2.857552\nrepeat = [2, 2, 2]\n'
    )
    return tmp_path


def test_command_writes_a_file_that_reads_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exact", "bcc.toml", "--oracle", "pair:cheap.toml", "--out", "cheap.h5"]) == 0
    words = ["reweight", "cheap.h5", "--oracle", "pair:dear.toml", "--calls", "60", "--temperatures", "800:8000:100"]
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    record = read_reweighted("cheap-reweighted.h5")
    truth = thermodynamics(levels_of(DEAR_BCC, 8), np.arange(800.0, 8001.0, 100.0)).per_atom()
    error = np.array(values["standard_error"]["free_energy_mev_per_atom"])
    difference = np.array(values["free_energy_mev_per_atom"]) - truth["free_energy_mev_per_atom"]
    assert (np.abs(difference) < 4 * error + 0.01).all()
    assert record.oracle["name"] == "pair:dear.toml" and record.verdict["trusted"]
    assert record.diagnostics["proposal_oracle"]["name"] == "pair:cheap.toml"
    again = record.samples.thermodynamics(record.curves.thermal.temperatures)
    for ours, theirs in ((again, record.curves), (again.thermal, record.curves.thermal)):
        names = CURVES if ours is again.thermal else ("effective", "unseen", "spread", "counted")
        assert all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in names)
    assert again.peak == record.curves.peak and isinstance(record.samples, ReweightedDensity)
    assert main(["inspect", "cheap-reweighted.h5"]) == 0
    text = capsys.readouterr().out
    assert f"{record.diagnostics['calls']} energies asked of the oracle" in text and "effective" in text
    assert main(["thermo", "cheap-reweighted.h5"]) == 2
    assert "wanglandau reweight" in capsys.readouterr().err


def test_command_refuses_another_cheap_oracle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exact", "bcc.toml", "--oracle", "pair:cheap.toml", "--all-compositions", "--out", "all.h5"]) == 0
    words = ["reweight", "all.h5", "--oracle", "pair:dear.toml", "--calls", "40", "--out", "r.h5"]
    assert main(words) == 2
    assert "choose --composition" in capsys.readouterr().err
    assert main([*words, "--composition", "6", "--proposal-oracle", "pair:dear.toml"]) == 2
    assert "its energies are others" in capsys.readouterr().err
    (folder / "cheap.toml").rename(folder / "moved.toml")
    assert main([*words, "--composition", "6"]) == 2
    assert "say with --proposal-oracle" in capsys.readouterr().err
    assert main([*words, "--composition", "6", "--proposal-oracle", "pair:moved.toml", "--seed", "3"]) in (0, 3)
    assert read_reweighted("r.h5").samples.composition == 6


@pytest.mark.long
def test_errors_claimed_are_errors_made() -> None:
    """Over many seeds, with an exact cheap density and with one that scatters."""
    truth = thermodynamics(levels_of(DEAR, 16), TEMPERATURES)
    peak = heat_capacity_peak(levels_of(DEAR, 16), TEMPERATURES).temperature
    exact = density_of(CHEAP, 16, 150)
    bins, curves, peaks = [], [], []
    for seed in range(40):
        cheap = exact if seed % 2 else noisy(exact, 0.1, 8, seed)
        found = of_fcc(seed, cheap, allocation="neyman" if seed % 4 < 2 else "even").density
        bins.append(bin_scores(found.density(found.default_grid(0.0))))
        thermal = found.thermodynamics(TEMPERATURES)
        peaks.append((thermal.peak.temperature - peak) / thermal.peak.temperature_error)
        errors = thermal.thermal.standard_error
        curves.append([(getattr(thermal.thermal, n) - getattr(truth, n)) / getattr(errors, n) for n in CURVES])
    every, along = np.concatenate(bins), np.array(curves)
    assert 0.6 < (np.abs(every) < 1).mean() < 0.8 and (np.abs(every) < 2).mean() > 0.88
    assert 0.7 < np.sqrt(np.mean(np.square(peaks))) < 1.35
    assert (0.6 < np.sqrt(np.mean(along**2, axis=(0, 2)))).all() and (
        np.sqrt(np.mean(along**2, axis=(0, 2))) < 1.4
    ).all()
