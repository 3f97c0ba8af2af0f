"""Settings of a study; importing them imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wanglandau.errors import InputError


@dataclass(frozen=True)
class StudySettings:
    """How a study is made.

    Attributes
    ----------
    splits : int
        Shuffled splits of the data into training (70 per cent), validation and test (15 per cent each).
    seed : int
        Of splits, initial weights and batches.
    by_orbit : bool
        Keep symmetry-equivalent configurations on one side of every split; the paper did not.
    paper_epochs : int
        Epochs of the networks trained as the paper did, which took 30,000.
    epochs : int
        Epochs of the networks trained by our recipe.
    patience : int or None
        Epochs without a better validation loss after which a network stops; default: none stops early. The weights with
        the best validation loss are kept in any case.
    averaging : float
        Decay, step by step, of a running average of the weights of networks trained by our recipe, which is then what
        is validated and kept; 0: none.
    lattice_configurations : int
        Configurations of the training part, which is in random order, that lattice networks are fitted to at most: they
        need no more, and each takes up to a megabyte of memory.
    ordering_splits : int
        First splits whose models are also asked for every configuration of one composition (model data only); 0: none.
    device : str
        Where dense networks are trained: cpu, or cuda where torch sees a GPU.
    """

    splits: int = 60
    seed: int = 0
    by_orbit: bool = False
    paper_epochs: int = 30_000
    epochs: int = 300
    patience: int | None = None
    averaging: float = 0.0
    lattice_configurations: int = 500
    ordering_splits: int = 3
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("splits", "paper_epochs", "epochs", "lattice_configurations"):
            if not 1 <= getattr(self, name) <= 10_000_000:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 to 10000000")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is {self.patience}; expected at least 1")
        if not 0 <= self.averaging < 1:
            raise InputError(f"averaging is {self.averaging}; expected at least 0 and less than 1")
        if not 0 <= self.ordering_splits <= 10_000:
            raise InputError(f"ordering_splits is {self.ordering_splits}; expected 0 to 10000")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; expected 0 to {2**31 - 1}")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f"device is {self.device!r}; choose cpu or cuda")

    def epochs_of(self, as_paper: bool) -> int:
        """Return how long networks are trained as the paper did, or by our recipe."""
        return self.paper_epochs if as_paper else self.epochs

    def of_result(self) -> dict[str, Any]:
        """Return the settings that results depend on."""
        return {name: value for name, value in asdict(self).items() if name != "device"}
