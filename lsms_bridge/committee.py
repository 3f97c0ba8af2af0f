"""What the loop needs of a model that learns: plug-ins by protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from surrogate.dataset import Dataset
from wanglandau.ensemble_oracle import EnsembleOracle


@runtime_checkable
class Committee(EnsembleOracle, Protocol):
    """Several trained models of the same energy, which can be kept in a file.

    The standard deviation of ``member_energies`` is taken for the error of ``energies``; a learner whose members agree
    better than they are right should scale them, as :func:`surrogate.calibration.spread_scale` does.
    """

    def save(self, path: Path) -> None:
        """Write the models to a file; it is complete or not there."""
        ...


@runtime_checkable
class Learner(Protocol):
    """Anything that makes a committee of a data set.

    Attributes
    ----------
    identity : str
        All that its committees depend on beside data and seed.
    """

    @property
    def identity(self) -> str: ...

    def fit(self, dataset: Dataset, seed: int) -> Committee:
        """Train on everything in a data set; the same data and seed give the same committee.

        Raises
        ------
        InputError
            If the data are too few or lack what is to be learnt.
        """
        ...
