"""What a surrogate is and how it is trained, as frozen dataclasses; importing it imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wanglandau.errors import InputError

TASKS = ("energy", "charge", "moment")
"""What a surrogate can learn, in the order in which tasks are listed everywhere."""

PAPER_WEIGHTS: Mapping[tuple[str, tuple[str, ...]], tuple[float, ...]] = {
    ("cuau", ("energy", "charge")): (1e-4, 8.0),
    ("fept", ("energy", "charge", "moment")): (1e-4, 70.0, 1.0),
    ("fept", ("energy", "charge")): (1e-4, 8.0),
    ("fept", ("energy", "moment")): (1e-4, 8.0),
    ("fept", ("charge", "moment")): (1.7, 1.0),
}
"""Task weights of the multitask networks of the paper, for the loss ``norm``."""


@dataclass(frozen=True)
class TrainingSettings:
    """How one network is trained.

    Attributes
    ----------
    loss : {"mse", "norm", "log"}
        ``mse``: weighted sum over tasks of the mean squared error in units of the task's standard deviation.
        ``norm``: weighted sum of the 2-norm of each task's error over the batch, as in the paper; the energy error
        is weighted as if total energies had been learnt, for which the weights of the paper were chosen.
        ``log``: weighted sum of the logarithm of each task's mean squared error, whatever its unit. Its gradient is
        that of ``mse`` with task weights learnt in training: one over the present error, to which the learnt
        uncertainties of A. Kendall, Y. Gal and R. Cipolla (arXiv:1705.07115) tend.
    weights : mapping of task to float
        Weight of each task in the loss; 1 where none is given.
    learning_rate : float
        Initial step of Adam.
    schedule : {"constant", "cosine"}
        Whether the step stays, or falls to zero along a half cosine over all epochs.
    batch_fraction : float
        Share of the training configurations in one batch.
    epochs : int
        Passes over the training configurations, at most; 0 keeps what the network starts from.
    weight_decay : float
        Decoupled weight decay of Adam.
    validation_fraction : float
        Share of the configurations held out, by orbit, to stop early; 0 trains all epochs and keeps the last weights.
    patience : int
        Epochs without a better validation loss after which training stops; the best weights are kept.
    augment : bool
        Whether every batch is turned by random operations of the space group; changes nothing for an invariant network.
    seed : int
        Of initial weights, validation split, batches and augmentation.
    """

    loss: Literal["mse", "norm", "log"] = "mse"
    weights: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    batch_fraction: float = 0.1
    epochs: int = 1000
    weight_decay: float = 0.0
    validation_fraction: float = 0.0
    patience: int = 100
    augment: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check("learning_rate", self.learning_rate, 0.0, 10.0, open_below=True)
        _check("batch_fraction", self.batch_fraction, 0.0, 1.0, open_below=True)
        _check("epochs", self.epochs, 0, 10_000_000)
        _check("weight_decay", self.weight_decay, 0.0, 1e3)
        _check("validation_fraction", self.validation_fraction, 0.0, 0.9)
        _check("patience", self.patience, 1, 10_000_000)
        _check("seed", self.seed, 0, 2**31)
        if self.loss not in ("mse", "norm", "log") or self.schedule not in ("constant", "cosine"):
            raise InputError(
                f"loss {self.loss!r} or schedule {self.schedule!r} unknown: mse, norm, log; constant, cosine"
            )
        for task, weight in self.weights.items():
            if task not in TASKS:
                raise InputError(f"a weight is given for {task!r}; tasks are {', '.join(TASKS)}")
            _check(f"weight of {task}", weight, 0.0, 1e12)


@dataclass(frozen=True)
class EnsembleSettings:
    """How many networks an ensemble has and how much of the data each of them sees.

    Attributes
    ----------
    members : int
        Number of networks.
    fraction : float
        Share of the orbits that each is trained on; every orbit is left out by at least two members, so that the
        spread of those that have not seen it can be told.
    """

    members: int = 8
    fraction: float = 0.75

    def __post_init__(self) -> None:
        _check("members", self.members, 4, 1000)
        _check("member_fraction", self.fraction, 0.0, 1.0, open_below=True)
        if self.n_left_out > self.members - 1:
            raise InputError(
                f"member_fraction is {self.fraction}; with {self.members} members choose at least {1 / self.members:g}"
            )

    @property
    def n_left_out(self) -> int:
        """Number of members that have not seen a given orbit."""
        return max(2, round((1 - self.fraction) * self.members))


@dataclass(frozen=True)
class DenseSettings:
    """The dense networks of the paper.

    Attributes
    ----------
    width : int
        Nodes in each hidden layer: 200 for CuAu and 300 for FePt in the paper.
    """

    width: int = 200

    def __post_init__(self) -> None:
        _check("width", self.width, 1, 100_000)


def check_tasks(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tasks in their usual order.

    Raises
    ------
    InputError
        If there is none, one twice, or one that is not known.
    """
    if not tasks or len(set(tasks)) < len(tasks) or not set(tasks) <= set(TASKS):
        raise InputError(f"tasks are {','.join(tasks) or 'none'}; choose among {', '.join(TASKS)}, each once")
    return tuple(task for task in TASKS if task in tasks)


def paper_training(system: str, tasks: tuple[str, ...]) -> TrainingSettings:
    """Return the loss, batches and task weights of the paper; weights of 1 for what the paper did not train."""
    weights = PAPER_WEIGHTS.get((system, tasks), (1.0,) * len(tasks))
    return TrainingSettings(
        loss="norm", weights=dict(zip(tasks, weights, strict=True)), batch_fraction=0.1, schedule="constant"
    )


def _check(name: str, value: float, low: float, high: float, *, open_below: bool = False) -> None:
    if not low <= value <= high or (open_below and value == low):
        raise InputError(
            f"{name} is {value}; expected {'more than' if open_below else 'at least'} {low}, at most {high}"
        )
