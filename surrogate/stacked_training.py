"""Training of many replicas together: each on a split of its own, with early stop of its own.

Batches are drawn by a counter-based generator keyed by the replica's seed and the epoch, on the device: a replica meets
the same batches in any company. On a GPU one step of all replicas is a captured graph that is replayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surrogate.counter_random import random_bits
from surrogate.dataset import Dataset
from surrogate.settings import TrainingSettings
from surrogate.stacked_network import StackedDenseNetwork
from surrogate.training import TINY, step_size, targets_of
from wanglandau.errors import InputError

WARM_UP = 3
"""Steps before a graph is captured, as torch asks for."""
REPLICAS_ON_CPU = 4
"""More do not fit into the caches of a processor, and take longer each."""


def replicas_together(n_replicas: int, device: str) -> int:
    """Return how many of so many replicas are best trained together on a device."""
    return n_replicas if device == "cuda" else min(n_replicas, REPLICAS_ON_CPU)


@dataclass(frozen=True, eq=False)
class Splits:
    """Which configurations each replica is trained on and validated with.

    Attributes
    ----------
    training : int64[n_replicas, n_training]
    validation : int64[n_replicas, n_validation]
        May have no columns: then nothing stops early and the last weights are kept.
    seeds : int64[n_replicas]
        Of the batches.
    """

    training: np.ndarray
    validation: np.ndarray
    seeds: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.seeds)
        if self.training.shape[0] != n or self.validation.shape[0] != n or not self.training.shape[1]:
            raise InputError(
                f"{n} seeds, training {self.training.shape} and validation {self.validation.shape} do not go together"
            )


class StackedTraining:
    """Training of a stack of networks, advanced epoch by epoch.

    Parameters
    ----------
    network : StackedDenseNetwork
        On the device where it is to be trained; changed in place.
    dataset : Dataset
    splits : Splits
    settings : TrainingSettings
        ``seed`` and ``validation_fraction`` are not used: splits say it all.
    averaging : float
        Decay of a running average of the weights, step by step, which is then what is validated and kept; 0: none.
    graphs : bool
        Whether steps on a GPU are captured graphs.

    Attributes
    ----------
    epoch : int
        Epochs done.
    best_loss, best_epoch : Tensor[n_replicas]
        Lowest validation loss of every replica and when it was.
    """

    def __init__(
        self,
        network: StackedDenseNetwork,
        dataset: Dataset,
        splits: Splits,
        settings: TrainingSettings,
        averaging: float = 0.0,
        graphs: bool = True,
    ) -> None:
        if not 0.0 <= averaging < 1.0:
            raise InputError(f"averaging is {averaging}; expected at least 0 and less than 1")
        self.network, self.settings, self._averaging = network, settings, averaging
        device = next(network.parameters()).device
        self._device, self._captured = device, graphs and device.type == "cuda"
        self._inputs = torch.as_tensor(dataset.occupations, dtype=torch.float32, device=device)
        self._targets = {task: value.to(device) for task, value in targets_of(dataset, network.tasks).items()}
        self._training = torch.as_tensor(splits.training, device=device)
        self._validation = torch.as_tensor(splits.validation, device=device)
        self._seeds = torch.as_tensor(splits.seeds, dtype=torch.int64, device=device)
        self._symmetry = torch.as_tensor(dataset.lattice.symmetry, dtype=torch.int64, device=device)
        self._batch = max(1, math.ceil(settings.batch_fraction * splits.training.shape[1]))
        self._factors = self._scale(torch.as_tensor(dataset.energy, device=device))
        self._optimiser = self._make_optimiser()
        self._averages = [value.detach().clone() for value in network.parameters()]
        self._kept = [value.detach().clone() for value in network.parameters()]
        n = network.n_replicas
        self.epoch = 0
        self.best_loss = torch.full((n,), math.inf, dtype=torch.float64, device=device)
        self.best_epoch = torch.zeros(n, dtype=torch.int64, device=device)
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def _scale(self, total: Tensor) -> dict[str, Tensor]:
        """Set the unit of every task from the training part of each replica; return the weights of its errors."""
        settings, shift, spread = self.settings, {}, {}
        for task, values in self._targets.items():
            flat = values[self._training].flatten(start_dim=1)
            shift[task] = flat.mean(dim=1)
            deviation = flat.std(dim=1, correction=0)
            spread[task] = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
        self.network.set_scale(shift, spread)
        factors = {}
        for task in self._targets:
            weight = settings.weights.get(task, 1.0)
            if settings.loss == "mse":
                factors[task] = weight / spread[task].square()
            elif settings.loss == "log":
                factors[task] = torch.full_like(spread[task], weight)
            else:  # the paper weighted errors of total energies, whose spread is that of the compositions
                of_total = total[self._training].std(dim=1, correction=0) if task == "energy" else spread[task]
                factors[task] = weight * of_total / spread[task]
        return factors

    def _make_optimiser(self) -> torch.optim.Optimizer:
        named = list(self.network.named_parameters())
        groups: list[dict[str, Any]] = [
            {"params": [value for name, value in named if not self.network.is_bias(name)]},
            {"params": [value for name, value in named if self.network.is_bias(name)], "weight_decay": 0.0},
        ]
        on_gpu = self._device.type == "cuda"
        rate = self.settings.learning_rate
        return torch.optim.AdamW(
            groups,
            lr=torch.tensor(rate, device=self._device) if on_gpu else rate,  # a graph reads it from the device
            weight_decay=self.settings.weight_decay,
            capturable=on_gpu,
            foreach=True,
        )

    def _set_rate(self) -> None:
        rate = self.settings.learning_rate * step_size(self.epoch, self.settings)
        for group in self._optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or every replica has stopped."""
        if self.epoch >= self.settings.epochs:
            return True
        return bool(self._validation.shape[1] and (~self._running()).all())

    def _running(self) -> Tensor:
        return self.epoch - 1 - self.best_epoch < self.settings.patience

    def advance(self, n_epochs: int = 1, on_epoch: Callable[[], object] | None = None) -> None:
        """Train for so many epochs, fewer if all replicas stop before.

        Parameters
        ----------
        n_epochs : int
        on_epoch : callable, optional
            Called after each, for a progress bar.

        Raises
        ------
        InputError
            If the loss is no number any more.
        """
        for _ in range(n_epochs):
            if self.finished:
                return
            self._set_rate()
            order = self._order()
            losses = [
                self._step(order[:, start : start + self._batch]) for start in range(0, order.shape[1], self._batch)
            ]
            if not bool(torch.isfinite(losses[-1]).all()):
                raise InputError("training of a replica diverged; lower learning_rate")
            self.epoch += 1
            self._validate()
            if on_epoch is not None:
                on_epoch()

    def _order(self) -> Tensor:
        """Shuffle the training configurations of every replica for this epoch."""
        keys = random_bits(self._seeds, 2 * self.epoch, self._training.shape[1])
        return torch.gather(self._training, 1, torch.argsort(keys, dim=1, stable=True))

    def _step(self, chosen: Tensor) -> Tensor:
        turns = self._turns(chosen)
        if not self._captured:
            return self._update(chosen, turns)
        size = chosen.shape[1]
        if size not in self._graphs:
            self._graphs[size] = self._capture(chosen, turns)
        graph, static_chosen, static_turns = self._graphs[size]
        static_chosen.copy_(chosen)
        static_turns.copy_(turns)
        graph.replay()
        return self._loss

    def _turns(self, chosen: Tensor) -> Tensor:
        """Choose a symmetry operation for every configuration of a batch, ``int64[n_replicas, n]``; 0 is none."""
        if not self.settings.augment:
            return torch.zeros_like(chosen)
        bits = random_bits(self._seeds, 2 * self.epoch + 1, len(self._inputs))
        return torch.gather(bits, 1, chosen).remainder(len(self._symmetry))

    def _capture(self, chosen: Tensor, turns: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """Record one step as a graph; the steps that torch wants made beforehand are taken back."""
        static_chosen, static_turns = chosen.clone(), turns.clone()
        before = {name: value.clone() for name, value in self.state().items()}
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._update(static_chosen, static_turns)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = self._update(static_chosen, static_turns)
        self.load(before)
        return graph, static_chosen, static_turns

    def _update(self, chosen: Tensor, turns: Tensor) -> Tensor:
        self._optimiser.zero_grad(set_to_none=False)
        loss = self._losses(chosen, turns)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        if self._averaging > 0:
            torch._foreach_lerp_(self._averages, list(self.network.parameters()), 1.0 - self._averaging)
        return loss.detach()

    def _losses(self, chosen: Tensor, turns: Tensor | None) -> Tensor:
        """Return the loss of every replica on some configurations, ``float64[n_replicas]``."""
        inputs = self._inputs[chosen]
        wanted = {task: values[chosen] for task, values in self._targets.items()}
        if turns is not None and self.settings.augment:
            sites = self._symmetry[turns]
            inputs = torch.gather(inputs, 2, sites)
            wanted = {task: v if v.ndim == 2 else torch.gather(v, 2, sites) for task, v in wanted.items()}
        predicted = self.network(inputs)
        total = torch.zeros(len(chosen), dtype=torch.float64, device=self._device)
        for task, values in wanted.items():
            square = (predicted[task] - values).square().flatten(start_dim=1)
            total = total + self._factors[task] * _error(square, self.settings.loss)
        return total

    @torch.no_grad()
    def _validate(self) -> None:
        """Keep the weights of every running replica whose validation loss is the lowest so far."""
        source = self._averages if self._averaging > 0 else [p.detach() for p in self.network.parameters()]
        if not self._validation.shape[1]:
            better = torch.ones_like(self.best_loss, dtype=torch.bool)
        else:
            with _weights(self.network, source):
                current = self._losses(self._validation, None)
            better = (current < self.best_loss) & self._running_before()
            self.best_loss = torch.where(better, current, self.best_loss)
        self.best_epoch = torch.where(better, torch.full_like(self.best_epoch, self.epoch - 1), self.best_epoch)
        for kept, value in zip(self._kept, source, strict=True):
            kept.copy_(torch.where(better.view(-1, *[1] * (value.ndim - 1)), value, kept))

    def _running_before(self) -> Tensor:
        return self.epoch - 2 - self.best_epoch < self.settings.patience

    @torch.no_grad()
    def finish(self) -> StackedDenseNetwork:
        """Give the network the weights kept of every replica and return it."""
        for value, kept in zip(self.network.parameters(), self._kept, strict=True):
            value.copy_(kept)
        return self.network

    def state(self) -> dict[str, Tensor]:
        """Return everything that training goes on from, by name: for a checkpoint."""
        state = {f"best.{name}": value for name, value in (("loss", self.best_loss), ("epoch", self.best_epoch))}
        state["epoch"] = torch.tensor(self.epoch)
        parameters = list(self.network.named_parameters())
        for (name, value), average, kept in zip(parameters, self._averages, self._kept, strict=True):
            state |= {f"weights.{name}": value.detach(), f"average.{name}": average, f"kept.{name}": kept}
            moments = self._optimiser.state.get(value, {})
            state |= {f"adam.{name}.{key}": moment for key, moment in moments.items()}
        return state

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Go back to a state of the same training."""
        self.best_loss, self.best_epoch = state["best.loss"].to(self._device), state["best.epoch"].to(self._device)
        self.epoch = int(state["epoch"])
        parameters = list(self.network.named_parameters())
        for (name, value), average, kept in zip(parameters, self._averages, self._kept, strict=True):
            value.copy_(state[f"weights.{name}"])
            average.copy_(state[f"average.{name}"])
            kept.copy_(state[f"kept.{name}"])
            prefix = f"adam.{name}."
            saved = {key.removeprefix(prefix): moment for key, moment in state.items() if key.startswith(prefix)}
            self._load_moments(value, saved)

    def _load_moments(self, parameter: Tensor, saved: dict[str, Tensor]) -> None:
        moments = self._optimiser.state[parameter]
        if not saved:  # Adam that has not made a step yet has zeros for moments
            for moment in moments.values():
                moment.zero_()
            return
        for key, moment in saved.items():
            if key in moments:
                moments[key].copy_(moment)
            else:
                moments[key] = moment.clone() if key == "step" else moment.to(self._device).clone()


def _error(square: Tensor, loss: str) -> Tensor:
    """Return the error of a task that a loss is made of, from squared errors ``[n_replicas, n]``."""
    if loss == "norm":
        return (square.sum(dim=1) + TINY).sqrt()
    mean = square.mean(dim=1)
    return mean if loss == "mse" else (mean + TINY).log()


class _weights:
    """Let a network have other weights for a while."""

    def __init__(self, network: StackedDenseNetwork, values: list[Tensor]) -> None:
        self._parameters, self._values = list(network.parameters()), values

    def __enter__(self) -> None:
        self._own = [parameter.data for parameter in self._parameters]
        for parameter, value in zip(self._parameters, self._values, strict=True):
            parameter.data = value

    def __exit__(self, *_: object) -> None:
        for parameter, value in zip(self._parameters, self._own, strict=True):
            parameter.data = value
