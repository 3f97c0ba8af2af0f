"""Settings of the samplers: frozen dataclasses with their defaults and units."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.errors import InputError

_LIMITS: dict[str, tuple[float, float]] = {
    "runs": (1, 10_000),
    "walkers": (1, 1_000_000),
    "max_trials": (1, 1e15),
    "precision": (1e-9, 1e3),
    "bins": (2, 1e6),
    "bin_width": (1e-9, 1e9),
    "flatness": (0.01, 0.99),
    "final_ln_f": (1e-15, 1.0),
    "seed": (0, 2**63),
    "threads": (1, 4096),
}


@dataclass(frozen=True)
class WangLandauSettings:
    """How a density of states is sampled.

    Attributes
    ----------
    runs : int
        Independent runs, end to end; their scatter is the error bar.
    walkers : int or None
        Walkers that share the histogram of one run; default: 4 with a compiled energy, 64 without.
    max_trials : int
        Most trials a run may make, all its walkers together.
    precision : float
        A calculation ends early when the standard error of ln g, rms over the bins, is below this.
    bins : int
        Bins over the range of energies; an oracle with few discrete levels gets one bin per level instead.
    bin_width : float or None
        meV per cell; overrides ``bins``.
    energy_range : tuple of two float, or None
        meV/atom; sample only between these mixing energies. Default: everything, the ends are searched for.
    flatness : float or None
        Lowest bin over mean bin that ends a stage; default: 0.5 for up to 8 walkers, 0.8 for more.
    final_ln_f : float
        A run ends when its ln f has fallen below this.
    seed : int
        Decides everything random.
    threads : int or None
        Runs advanced at the same time; default: one per core. Changes nothing in the result.
    """

    runs: int = 8
    walkers: int | None = None
    max_trials: int = 100_000_000
    precision: float = 0.01
    bins: int = 300
    bin_width: float | None = None
    energy_range: tuple[float, float] | None = None
    flatness: float | None = None
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
