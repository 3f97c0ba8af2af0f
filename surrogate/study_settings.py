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
    device : str
        Where dense networks are trained: cpu, or cuda where torch sees a GPU.
    """

    splits: int = 60
    seed: int = 0
    by_orbit: bool = False
    paper_epochs: int = 30_000
    epochs: int = 300
    patience: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("splits", "paper_epochs", "epochs"):
            if not 1 <= getattr(self, name) <= 10_000_000:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 to 10000000")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience is {self.patience}; expected at least 1")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; expected 0 to {2**31 - 1}")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f"device is {self.device!r}; choose cpu or cuda")

    def of_result(self) -> dict[str, Any]:
        """Return the settings that results depend on."""
        return {name: value for name, value in asdict(self).items() if name != "device"}
