"""Replicas trained together against each of them alone, and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surrogate.counter_random import random_bits
from surrogate.dataset import Dataset, load_dataset
from surrogate.dense_network import DenseNetwork
from surrogate.settings import DenseSettings, TrainingSettings
from surrogate.stacked_network import StackedDenseNetwork
from surrogate.stacked_training import Splits, StackedTraining
from surrogate.training import make_loss, make_network, targets_of
from wanglandau.errors import InputError

TASKS = ("energy", "charge")
SEEDS = np.array([5, 6, 7])


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("cuau")


@pytest.fixture(scope="module")
def splits(data: Dataset) -> Splits:
    rows = np.array([np.random.default_rng(int(seed)).permutation(len(data)) for seed in SEEDS])
    return Splits(rows[:, :100], rows[:, 100:140], SEEDS)


def network(data: Dataset, seed: int, tasks: tuple[str, ...] = TASKS) -> DenseNetwork:
    made = make_network(lambda: DenseNetwork(data.lattice, tasks, DenseSettings(24)), seed)
    assert isinstance(made, DenseNetwork)
    return made


def training(data: Dataset, splits: Splits, settings: TrainingSettings, averaging: float = 0.0) -> StackedTraining:
    stack = StackedDenseNetwork([network(data, int(seed)) for seed in splits.seeds])
    return StackedTraining(stack, data, splits, settings, averaging)


def one_of(splits: Splits, number: int) -> Splits:
    rows = slice(number, number + 1)
    return Splits(splits.training[rows], splits.validation[rows], splits.seeds[rows])


def energies(trained: DenseNetwork, data: Dataset) -> np.ndarray:
    with torch.no_grad():
        return trained(trained.inputs(data.occupations))["energy"].numpy()


@pytest.mark.parametrize(
    ("settings", "averaging"),
    [
        (TrainingSettings(epochs=12, learning_rate=3e-3, patience=3, augment=True), 0.9),
        (TrainingSettings(epochs=8, loss="norm", weights={"charge": 8.0}, schedule="constant"), 0.0),
    ],
)
def test_replicas_do_not_know_of_each_other(
    data: Dataset, splits: Splits, settings: TrainingSettings, averaging: float
) -> None:
    together = training(data, splits, settings, averaging)
    together.advance(settings.epochs)
    stack = together.finish()
    for number in range(len(SEEDS)):
        alone = training(data, one_of(splits, number), settings, averaging)
        alone.advance(settings.epochs)
        assert int(alone.best_epoch) == int(together.best_epoch[number])
        expected = energies(alone.finish().network(0), data)
        assert energies(stack.network(number), data) == pytest.approx(expected, abs=1e-5 * expected.std())


@pytest.mark.parametrize("loss", ["mse", "norm", "log"])
def test_a_replica_is_trained_as_by_a_plain_loop(data: Dataset, splits: Splits, loss: str) -> None:
    settings = TrainingSettings(epochs=3, loss=loss, weights={"charge": 2.0}, schedule="constant", weight_decay=0.1)  # type: ignore[arg-type]
    no_validation = Splits(splits.training, splits.validation[:, :0], splits.seeds)
    stacked = training(data, no_validation, settings)
    plain = network(data, int(SEEDS[1]))
    own = data.select(splits.training[1])
    plain.set_scale(targets_of(own, TASKS))
    wanted, measure = targets_of(data, TASKS), make_loss(own, targets_of(own, TASKS), settings)
    optimiser = torch.optim.AdamW(plain.parameter_groups(), lr=settings.learning_rate, weight_decay=0.1)
    for _ in range(settings.epochs):
        order = stacked._order()[1]
        for batch in torch.split(order, 10):
            optimiser.zero_grad()
            value = measure(plain(plain.inputs(data.occupations)[batch]), {t: v[batch] for t, v in wanted.items()})
            value.backward()
            optimiser.step()
        stacked.advance(1)
    expected = energies(plain, data)
    assert energies(stacked.finish().network(1), data) == pytest.approx(expected, abs=1e-4 * expected.std())


def test_training_goes_on_from_a_state_bit_for_bit(data: Dataset, splits: Splits) -> None:
    settings = TrainingSettings(epochs=10, augment=True)
    whole, first, second = (training(data, splits, settings, 0.5) for _ in range(3))
    whole.advance(10)
    first.advance(4)
    second.load({name: value.clone() for name, value in first.state().items()})
    second.advance(6)
    ended = whole.state()
    assert second.epoch == whole.epoch == 10
    assert all(torch.equal(value, ended[name]) for name, value in second.state().items())


def test_the_best_weights_of_each_replica_are_kept(data: Dataset, splits: Splits) -> None:
    settings = TrainingSettings(epochs=60, learning_rate=0.05, schedule="constant", patience=4, batch_fraction=0.3)
    stacked = training(data, splits, settings)
    stacked.advance(60)
    assert stacked.epoch < 60 and stacked.finished  # a large step makes validation worse before long
    best = stacked.best_loss.clone()
    stacked.finish()
    again = stacked._losses(stacked._validation, None)
    assert again.detach().numpy() == pytest.approx(best.numpy(), rel=1e-6)
    assert (stacked.epoch - 1 - stacked.best_epoch >= 4).all()


def test_every_epoch_has_an_order_of_its_own(data: Dataset, splits: Splits) -> None:
    stacked = training(data, splits, TrainingSettings(epochs=2))
    first = stacked._order()
    stacked.epoch = 1
    second = stacked._order()
    for rows in (first, second):
        assert np.array_equal(np.sort(rows.numpy(), axis=1), np.sort(splits.training, axis=1))
    assert not torch.equal(first, second)
    bits = random_bits(torch.tensor([1, 2]), 3, 4000)
    assert (bits >= 0).all() and len(torch.unique(bits)) == 8000
    assert bits.double().mean() / 2.0**63 == pytest.approx(0.5, abs=0.02)


def test_what_does_not_go_together_is_refused(data: Dataset, splits: Splits) -> None:
    with pytest.raises(InputError, match="do not go together"):
        Splits(splits.training, splits.validation, SEEDS[:2])
    with pytest.raises(InputError, match=r"averaging is 1\.5"):
        training(data, splits, TrainingSettings(), 1.5)
    wild = training(data, splits, TrainingSettings(epochs=5, learning_rate=10.0, loss="norm", weights={"charge": 1e12}))
    wild._factors = {task: factor * float("nan") for task, factor in wild._factors.items()}
    with pytest.raises(InputError, match="diverged"):
        wild.advance(1)
