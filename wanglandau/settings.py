"""Settings of the flat-histogram samplers: frozen dataclasses with their defaults and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wanglandau.errors import InputError

_LIMITS: dict[str, tuple[float, float]] = {
    "runs": (1, 10_000),
    "walkers": (1, 1_000_000),
    "teams": (1, 1000),
    "windows": (1, 1000),
    "overlap": (0.05, 0.9),
    "exchange_interval": (1, 10**9),
    "max_trials": (1, 1e15),
    "precision": (1e-9, 1e3),
    "bins": (2, 1e6),
    "bin_width": (1e-9, 1e9),
    "flatness": (0.01, 0.99),
    "minimum_count": (0.0, 1e6),
    "final_ln_f": (1e-15, 1.0),
    "lowest_temperature": (1e-3, 1e6),
    "joint_bins": (2, 10_000),
    "seed": (0, 2**63),
    "threads": (1, 4096),
}

Ensemble = Literal["canonical", "semigrand", "zero-field"]
Estimator = Literal["histogram", "transitions"]
ScheduleName = Literal["1/t", "halving", "sad"]


@dataclass(frozen=True)
class WangLandauSettings:
    """How a density of states is sampled.

    Attributes
    ----------
    runs : int
        Independent runs, end to end; their scatter is the error bar.
    windows : int or None
        Energy windows of a run, walked at the same time with replica exchange between neighbours; default: one for
        every 128 sites.
    walkers : int or None
        Walkers that share a histogram; default: 4 with a compiled energy, 64 without, 8192 on an accelerator; 1
        with several windows.
    teams : int
        Histograms of one window, each with walkers of its own; their ln g are averaged at the end of every stage.
    overlap : float
        Part of a window that it shares with the next.
    uniform_windows : bool
        Windows of equal width, instead of equal diffusion time as found in a short run beforehand.
    exchange_interval : int or None
        Trials of a walker between exchanges; default: 10 sweeps, at least 1000 trials, of all walkers of a window.
    ensemble : str
        canonical: one composition, by swaps; semigrand: all compositions, by flips, with bins for composition and
        energy; zero-field: all compositions, by flips, with bins for the energy alone.
    schedule : str or None
        How ln f is lowered: 1/t, halving or sad; default: sad where the lowest temperature is given, else 1/t.
    lowest_temperature : float or None
        K; with the sad schedule: energies that matter only at lower temperatures need not be sampled. The energy
        range is then not searched for beforehand but grows as it is found.
    max_trials : int
        Most trials a run may make, all its walkers together.
    precision : float
        A calculation ends early when the standard error of ln g, rms over the bins, is below this.
    production : bool
        Sample with fixed weights once ln g is good enough for that; without, ln g stays what the schedule makes of it.
    transitions : bool
        Count trials from bin to bin in production, for an independent estimate of ln g.
    estimator : str
        Which estimate of ln g production gives: that of the histogram, or the one from counted transitions, which is
        often more precise; the other is the cross-check.
    pinned : bool
        In production, count the configurations of the lowest and of the highest bin by symmetry and bring ln g into
        agreement with their number, where they are few enough and the ends of the range were not cut off.
    observables : bool
        Measure order parameters and what else the oracle predicts in production.
    joint : str or None
        Name of an observable whose joint density with the energy is wanted.
    joint_bins : int
        Bins of that observable.
    bins : int or None
        Bins over the range of energies; an oracle with few discrete levels gets one bin per level instead. Default:
        300, more where these would be wider than half k_B times the temperature where ordering is to be expected.
    bin_width : float or None
        meV per cell; overrides ``bins``.
    energy_range : tuple of two float, or None
        meV/atom; sample only between these mixing energies. Default: everything, the ends are searched for.
    negative_temperatures : bool or None
        Sample energies high above those of random configurations too, which only negative temperatures favour; they
        hold some thousandth of all configurations. Default: for up to 32 sites; not where an energy range is given.
    flatness : float or None
        Lowest bin over mean bin that ends a stage; default: 0.5 for up to 8 walkers, 0.8 for more.
    minimum_count : float
        A stage also needs this many times 1/sqrt(ln f) visits of every bin.
    final_ln_f : float
        A run without production ends when its ln f has fallen below this.
    seed : int
        Decides everything random.
    threads : int or None
        Threads that share the work of this process; default: one per core. Changes nothing in the result.
    """

    runs: int = 8
    windows: int | None = None
    walkers: int | None = None
    teams: int = 1
    overlap: float = 0.5
    uniform_windows: bool = False
    exchange_interval: int | None = None
    ensemble: Ensemble = "canonical"
    schedule: ScheduleName | None = None
    lowest_temperature: float | None = None
    max_trials: int = 100_000_000
    precision: float = 0.01
    production: bool = True
    transitions: bool = True
    estimator: Estimator = "histogram"
    pinned: bool = True
    observables: bool = True
    joint: str | None = None
    joint_bins: int = 50
    bins: int | None = None
    bin_width: float | None = None
    energy_range: tuple[float, float] | None = None
    negative_temperatures: bool | None = None
    flatness: float | None = None
    minimum_count: float = 1.0
    final_ln_f: float = 1e-8
    seed: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} is {value}; allowed are {low:g} to {high:g}")
        if self.energy_range is not None and not self.energy_range[0] < self.energy_range[1]:
            low, high = self.energy_range
            raise InputError(f"empty energy window: from {low} to {high} meV/atom; the upper end must lie above")
        if self.schedule == "sad" and self.lowest_temperature is None:
            raise InputError("schedule sad needs the lowest temperature of interest; give lowest_temperature in kelvin")
        if self.lowest_temperature is not None and self.schedule not in (None, "sad"):
            raise InputError(
                f"lowest_temperature goes with schedule sad, not {self.schedule}; leave one of the two out"
            )
        if self.estimator == "transitions" and not (self.transitions and self.production):
            raise InputError("estimator transitions needs production and transitions; leave both on")
        self._check_combinations()

    def _check_combinations(self) -> None:
        single = {"schedule sad": self.schedule_name == "sad", "ensemble semigrand": self.ensemble == "semigrand"}
        for name, chosen in single.items():
            if chosen and (self.windows or 1) > 1:
                raise InputError(f"{name} walks in one window, but windows is {self.windows}; take 1")
        if self.ensemble == "semigrand" and self.energy_range is not None:
            raise InputError(
                "ensemble semigrand needs all energies, to normalise every composition; leave energy_range out"
            )
        if all(single.values()):
            raise InputError("schedule sad has no bins for compositions; take ensemble canonical or zero-field with it")

    @property
    def schedule_name(self) -> ScheduleName:
        """The schedule asked for or, where none was, the one that suits."""
        return self.schedule or ("1/t" if self.lowest_temperature is None else "sad")
