"""How the densities of states of all compositions differ from the exact ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from wanglandau.comparison import LnGDifference, check_same, ln_g_difference, on_common_grid, populated_bins
from wanglandau.errors import InputError
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.semigrand_file import SemigrandRecord


@dataclass(frozen=True)
class SemigrandComparison:
    """Differences of ln g from the exact one.

    Attributes
    ----------
    by_composition : dict of int to LnGDifference
        Over the bins that hold at least 1e-9 of the states of a composition.
    missing : list of int
        Compositions that the run does not hold.
    """

    by_composition: dict[int, LnGDifference]
    missing: list[int]

    @property
    def rms(self) -> float:
        """Root mean square over all bins of all compositions."""
        parts = self.by_composition.values()
        return float(np.sqrt(sum(part.bins * part.rms**2 for part in parts) / max(sum(p.bins for p in parts), 1)))

    def to_json(self) -> dict[str, Any]:
        """Return all figures, ready for JSON."""
        return {"rms": self.rms} | asdict(self)

    def __str__(self) -> str:
        worst = max(self.by_composition, key=lambda n: self.by_composition[n].rms)
        bins = sum(part.bins for part in self.by_composition.values())
        return (
            f"ln g against exact: rms {self.rms:.4f} over {bins} bins of {len(self.by_composition)} compositions; "
            f"worst composition {worst} with {self.by_composition[worst].rms:.4f}\n"
            f"  compositions that the run lacks: {', '.join(map(str, self.missing)) or 'none'}"
        )


def compare_semigrand(
    record: SemigrandRecord, exact: ExactRecord, *, allow_other_oracle: bool = False
) -> SemigrandComparison:
    """Compare every composition of a run with the exact levels.

    Raises
    ------
    InputError
        If the two differ in oracle or lattice, or the exact levels are not of all compositions.
    """
    if exact.levels.composition is not None:
        raise InputError(
            f"the exact levels are of composition {exact.levels.composition} only; enumerate with --all-compositions"
        )
    differences = {}
    for composition, density in record.densities.items():
        levels = replace(exact, levels=exact.levels.at_composition(composition))
        check_same(_single(record, composition), levels, allow_other_oracle)
        ours, theirs = on_common_grid(density, levels)
        bins = ours.visited & theirs.visited & populated_bins(theirs)
        differences[composition] = ln_g_difference(ours, theirs, bins)
    missing = [n for n in range(record.n_sites + 1) if n not in record.densities]
    return SemigrandComparison(differences, missing)


def _single(record: SemigrandRecord, composition: int) -> RunRecord:
    return RunRecord(
        density=record.densities[composition],
        system=record.system,
        oracle=record.oracle,
        settings=record.settings,
        versions=record.versions,
        seeds=record.seeds,
        diagnostics={},
        verdict=record.verdict,
    )
