"""Settings of the samplers: frozen dataclasses with their defaults and units."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.errors import InputError


@dataclass(frozen=True)
class WangLandauSettings:
    """How a density of states is sampled.

    Attributes
    ----------
    runs : int
        Independent runs, end to end; their scatter is the error bar.
    walkers : int or None
        Walkers that share the histogram of one run; None: 4 with a compiled energy, 64 without.
    max_trials : int
        Most trials a run may make, all its walkers together.
    precision : float
        A calculation ends early when the standard error of ln g, rms over the bins, is below this.
    bins : int
        Bins over the range of energies; an oracle with few discrete levels gets one bin per level instead.
    bin_width : float or None
        meV per cell; overrides ``bins``.
    energy_range : tuple of two float, or None
        meV/atom; sample only between these mixing energies. None: everything, the ends are searched for.
    flatness : float or None
        Lowest bin over mean bin that ends a stage; None: 0.5 for up to 8 walkers, 0.8 for more.
    final_ln_f : float
        A run ends when its ln f has fallen below this.
    seed : int
        Decides everything random.
    threads : int or None
        Runs advanced at the same time; None: one per core. Changes nothing in the result.
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
        for name, low, high in (
            ("runs", 1, 10_000),
            ("max_trials", 1, 10**15),
            ("bins", 2, 1_000_000),
            ("seed", 0, 2**63),
        ):
            _check_range(name, getattr(self, name), low, high)
        for name, low, high in (("walkers", 1, 1_000_000), ("threads", 1, 4096), ("bin_width", 1e-9, 1e9)):
            if getattr(self, name) is not None:
                _check_range(name, getattr(self, name), low, high)
        if self.flatness is not None:
            _check_range("flatness", self.flatness, 0.01, 0.99)
        _check_range("precision", self.precision, 1e-9, 1e3)
        _check_range("final_ln_f", self.final_ln_f, 1e-15, 1.0)
        if self.energy_range is not None and not self.energy_range[0] < self.energy_range[1]:
            low, high = self.energy_range
            raise InputError(
                f"empty energy window: from {low} to {high} meV/atom; the upper end must lie above the lower"
            )


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} is {value}; allowed are {low} to {high}")
