"""The one training loop, for every network architecture.

A network turns occupations into inputs once, and inputs into a dictionary of predictions in physical units;
the loop knows neither layers nor lattices. See :class:`TrainableNetwork` for the contract.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from surrogate.dataset import Dataset, split_by_orbit
from surrogate.settings import TrainingSettings
from surrogate.training_history import History
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.orderly_end import Interrupted, stop_if_asked

Inputs = Tensor | tuple[Tensor, ...]

TINY = 1e-300
"""Keeps roots and logarithms of an error of zero finite."""


class TrainableNetwork(Protocol):
    """What the loop needs of a network, which also is a ``torch.nn.Module``.

    A network may have a method ``fit_start(inputs, targets)``, called once before the first step.
    """

    lattice: Lattice
    tasks: tuple[str, ...]
    training: bool

    def __call__(self, *inputs: Tensor) -> dict[str, Tensor]: ...
    def inputs(self, occupations: np.ndarray) -> Inputs: ...
    def set_scale(self, targets: dict[str, Tensor]) -> None: ...
    def parameter_groups(self) -> list[dict[str, object]]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Any) -> Any: ...
    def train(self, mode: bool = True) -> Any: ...


Loss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]


def make_network(build: Callable[[], TrainableNetwork], seed: int) -> TrainableNetwork:
    """Build a network whose initial weights depend on ``seed`` alone; torch's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def targets_of(dataset: Dataset, tasks: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the training targets: mixing energy (Ry per cell, [n]), charge and moment ([n, n_sites]), float64."""
    values = {"energy": dataset.mixing_energy, "charge": dataset.charge, "moment": dataset.moment}
    missing = [task for task in tasks if values[task] is None]
    if missing:
        raise InputError(f"the data set has no {missing[0]}; leave it out of the tasks")
    return {task: torch.as_tensor(values[task], dtype=torch.float64) for task in tasks}


def make_loss(dataset: Dataset, targets: dict[str, Tensor], settings: TrainingSettings) -> Loss:
    """Return the loss function with the units of its tasks fixed by the training data."""
    spread = {task: float(values.std(correction=0)) or 1.0 for task, values in targets.items()}
    weights = {task: settings.weights.get(task, 1.0) for task in targets}
    if settings.loss == "mse":

        def mse(predicted: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
            errors = [weights[t] * ((predicted[t] - wanted[t]) / spread[t]).square().mean() for t in wanted]
            return torch.stack(errors).sum()

        return mse
    if settings.loss == "log":

        def log(predicted: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
            means = {t: (predicted[t] - wanted[t]).square().mean() for t in wanted}
            return torch.stack([weights[t] * (mean + TINY).log() for t, mean in means.items()]).sum()

        return log
    # The paper weighted errors of total energies, whose spread is that of the compositions.
    total = {"energy": float(dataset.energy.std()) or 1.0}
    factor = {task: weights[task] * total.get(task, spread[task]) / spread[task] for task in targets}

    def norm(predicted: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
        return torch.stack([factor[t] * torch.linalg.vector_norm(predicted[t] - wanted[t]) for t in wanted]).sum()

    return norm


def train(
    network: TrainableNetwork,
    dataset: Dataset,
    settings: TrainingSettings,
    *,
    quiet: bool = False,
    keeper: TrainingKeeper | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network : TrainableNetwork
        Freshly made, see :func:`make_network`.
    dataset : Dataset
        Everything training may see; the validation part is taken from it.
    settings : TrainingSettings
    quiet : bool
        Show no progress bar even on a terminal.
    keeper : TrainingKeeper, optional
        Writes checkpoints between epochs, and gives the one to go on from: on a CPU bit for bit.

    Returns
    -------
    History
    """
    n_held = settings.validation_fraction
    fitted, held = split_by_orbit(dataset.orbit, (1.0 - n_held, n_held), settings.seed)
    if n_held > 0 and (not len(held) or not len(fitted)):
        raise InputError(f"validation_fraction {n_held} leaves nothing to train on or to validate with; change it")
    batches = Batches(network, dataset.select(fitted), settings)
    loss = make_loss(dataset.select(fitted), batches.targets, settings)
    validation = Batches(network, dataset.select(held), settings) if len(held) else None
    network.set_scale(batches.targets)
    fit_start = getattr(network, "fit_start", None)
    if fit_start is not None and (keeper is None or keeper.state is None):
        fit_start(batches.inputs, batches.targets)
    return _loop(_Run(network, batches, validation, loss, settings), quiet, keeper)


class TrainingKeeper(Protocol):
    """Whatever keeps the state of a training on disk, such as :class:`wanglandau.result_keeper.ResultKeeper`."""

    state: Any

    def offer(self, make: Callable[[], Any]) -> None: ...
    def keep(self, make: Callable[[], Any]) -> None: ...


def _loop(run: _Run, quiet: bool, keeper: TrainingKeeper | None) -> History:
    if keeper is not None and keeper.state is not None:
        run.load(keeper.state)
    total, silent = run.settings.epochs, True if quiet else None
    with tqdm(total=total, initial=run.epoch, desc="training", unit="epoch", disable=silent, mininterval=0.5) as bar:
        while not run.finished:
            try:
                stop_if_asked()
            except Interrupted:
                if keeper is not None:
                    keeper.keep(run.state)
                raise
            run.advance()
            bar.update()
            if run.history.validation_loss:
                told = f"validation loss {run.history.validation_loss[-1]:.3g}, best {run.best:.3g}"
                bar.set_postfix_str(told, refresh=False)
            if keeper is not None:
                keeper.offer(run.state)
    return run.finish()


class _Run:
    """A training under way, advanced epoch by epoch."""

    def __init__(
        self,
        network: TrainableNetwork,
        batches: Batches,
        validation: Batches | None,
        loss: Loss,
        settings: TrainingSettings,
    ) -> None:
        self.settings, self.history, self.epoch, self.best = settings, History(), 0, math.inf
        self._network, self._batches, self._validation, self._loss = network, batches, validation, loss
        self._optimiser = torch.optim.AdamW(
            network.parameter_groups(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._kept: dict[str, Tensor] | None = None

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the validation loss has not fallen for long enough."""
        stopped = self._validation is not None and self.epoch - 1 - self.history.best_epoch >= self.settings.patience
        return self.epoch >= self.settings.epochs or (self.epoch > 0 and stopped)

    def advance(self) -> None:
        """Make an epoch."""
        self._set_rate()
        self.history.training_loss.append(_epoch(self._network, self._batches, self._loss, self._optimiser))
        if self._validation is None:
            self.history.best_epoch = self.epoch
        else:
            current = _evaluate(self._network, self._validation, self._loss)
            self.history.validation_loss.append(current)
            if current < self.best:
                self.best, self.history.best_epoch = current, self.epoch
                self._kept = {name: value.clone() for name, value in self._network.state_dict().items()}
        self.epoch += 1

    def _set_rate(self) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * step_size(self.epoch, self.settings)

    def finish(self) -> History:
        """Give the network the weights to be kept."""
        if self._kept is not None:
            self._network.load_state_dict(self._kept)
        self._network.train(False)
        losses = self.history.training_loss
        if losses and not math.isfinite(losses[-1]):
            raise InputError(f"training diverged (loss {losses[-1]}); lower learning_rate")
        return self.history

    def state(self) -> dict[str, Any]:
        """Return everything that training goes on from: for a checkpoint."""
        return {
            "weights": _arrays(self._network.state_dict()),
            "kept": None if self._kept is None else _arrays(self._kept),
            "adam": {number: _arrays(held) for number, held in self._optimiser.state_dict()["state"].items()},
            "random": self._batches.random.bit_generator.state,
            "epoch": self.epoch,
            "best": self.best,
            "history": self.history,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go to a state of the same training."""
        self._network.load_state_dict(_tensors(state["weights"]))
        self._kept = None if state["kept"] is None else _tensors(state["kept"])
        moments = {number: _tensors(held) for number, held in state["adam"].items()}
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})
        self._batches.random.bit_generator.state = state["random"]
        self.epoch, self.best, self.history = state["epoch"], state["best"], state["history"]


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: np.array(value.detach().cpu().numpy()) for name, value in tensors.items()}


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value).clone() for name, value in arrays.items()}


def step_size(epoch: int, settings: TrainingSettings) -> float:
    """Return the step of Adam in an epoch, in units of the first."""
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * epoch / max(1, settings.epochs)))


def _epoch(network: TrainableNetwork, batches: Batches, loss: Loss, optimiser: torch.optim.Optimizer) -> float:
    network.train(True)
    losses = []
    for inputs, targets in batches.shuffled():
        optimiser.zero_grad()
        value = loss(network(*inputs), targets)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(value.detach()))
    return float(np.mean(losses))


def _evaluate(network: TrainableNetwork, batches: Batches, loss: Loss) -> float:
    network.train(False)
    with torch.no_grad():
        return float(loss(network(*batches.inputs), batches.targets))


class Batches:
    """Inputs and targets of a data set, handed out in random batches."""

    def __init__(self, network: TrainableNetwork, dataset: Dataset, settings: TrainingSettings) -> None:
        self._network = network
        self._occupations = dataset.occupations
        self._symmetry = network.lattice.symmetry if settings.augment else None
        self._size = max(1, math.ceil(settings.batch_fraction * len(dataset)))
        self.random = np.random.default_rng(settings.seed)
        self.targets = targets_of(dataset, network.tasks)
        inputs = network.inputs(dataset.occupations)
        self.inputs: tuple[Tensor, ...] = inputs if isinstance(inputs, tuple) else (inputs,)

    def shuffled(self) -> Any:
        """Yield (inputs, targets) of each batch of one epoch."""
        order = self.random.permutation(len(self._occupations))
        for start in range(0, len(order), self._size):
            chosen = order[start : start + self._size]
            yield self._turned(chosen) if self._symmetry is not None else self._plain(chosen)

    def _plain(self, chosen: np.ndarray) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        indices = torch.as_tensor(chosen)
        return tuple(part[indices] for part in self.inputs), {t: v[indices] for t, v in self.targets.items()}

    def _turned(self, chosen: np.ndarray) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Turn each configuration of a batch, with its charges and moments, by a random operation of its own."""
        assert self._symmetry is not None
        sites = self._symmetry[self.random.integers(len(self._symmetry), size=len(chosen))]
        inputs = self._network.inputs(np.take_along_axis(self._occupations[chosen], sites, axis=1))
        index = torch.as_tensor(sites, dtype=torch.int64)
        targets = {}
        for task, values in self.targets.items():
            own = values[torch.as_tensor(chosen)]
            targets[task] = own if own.ndim == 1 else torch.gather(own, 1, index)
        return inputs if isinstance(inputs, tuple) else (inputs,), targets
