"""What happened in a training."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """What happened during training.

    Attributes
    ----------
    training_loss, validation_loss : list of float
        Per epoch; ``validation_loss`` is empty where nothing was held out.
    best_epoch : int
        Epoch whose weights were kept.
    """

    training_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int = 0
