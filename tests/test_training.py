"""The training loop: it learns, repeats itself, stops early, and turns targets together with occupations."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from surrogate.dataset import Dataset, load_dataset
from surrogate.dense_network import DenseNetwork
from surrogate.orbits import orbit_labels
from surrogate.settings import DenseSettings, TrainingSettings, check_tasks, paper_training
from surrogate.training import Batches, make_loss, make_network, targets_of, train
from surrogate.training_history import History
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

QUICK = TrainingSettings(epochs=30, batch_fraction=0.25, learning_rate=3e-3)


@pytest.fixture(scope="module")
def counted() -> Dataset:
    """Return made-up data that a small network can learn: charges and moments count unlike neighbours."""
    lattice = Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 1))
    occupations = np.random.default_rng(0).integers(2, size=(200, lattice.n_sites)).astype(np.int8)
    spins = 1.0 - 2.0 * occupations
    charge = 0.01 * spins * spins[:, lattice.shells(1)[0].neighbours].sum(axis=2)
    n_second = occupations.sum(axis=1)
    energy = charge.sum(axis=1) - 300.0 * (lattice.n_sites - n_second) - 5000.0 * n_second
    return Dataset(
        lattice,
        occupations,
        energy,
        orbit_labels(lattice, occupations),
        np.array([-300.0, -5000.0]),
        charge,
        2.0 + 10.0 * charge,
    )


Trained = tuple[DenseNetwork, History]


def run(data: Dataset, settings: TrainingSettings, tasks: tuple[str, ...] = ("energy",), width: int = 32) -> Trained:
    network = make_network(lambda: DenseNetwork(data.lattice, tasks, DenseSettings(width)), settings.seed)
    assert isinstance(network, DenseNetwork)
    return network, train(network, data, settings, quiet=True)


def weights(network: DenseNetwork) -> np.ndarray:
    return torch.cat([value.detach().flatten() for value in network.parameters()]).numpy()


@pytest.mark.parametrize("loss", ["mse", "norm", "log"])
def test_training_learns_every_task(counted: Dataset, loss: str) -> None:
    tasks = ("energy", "charge", "moment")
    settings = dataclasses.replace(QUICK, loss=loss, epochs=150, weights={"energy": 1e-4 if loss == "norm" else 1.0})
    network, history = run(counted, settings, tasks, width=120)
    first, last = history.training_loss[0], history.training_loss[-1]
    assert last < first + 3 * np.log(0.2) if loss == "log" else last < 0.2 * first
    with torch.no_grad():
        predicted = network(network.inputs(counted.occupations))
    for task, wanted in targets_of(counted, tasks).items():
        assert predicted[task].dtype == torch.float64
        assert float((predicted[task] - wanted).square().mean() / wanted.var()) < 0.05


def test_same_seed_same_weights_and_torch_left_alone(counted: Dataset) -> None:
    settings = dataclasses.replace(QUICK, epochs=5, augment=True, validation_fraction=0.2)
    state = torch.random.get_rng_state()
    first, _ = run(counted, settings)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(7)
    second, _ = run(counted, settings)
    third, _ = run(counted, dataclasses.replace(settings, seed=1))
    np.testing.assert_array_equal(weights(first), weights(second))
    assert (weights(first) != weights(third)).any()


def test_early_stop_keeps_the_best_weights(counted: Dataset) -> None:
    settings = dataclasses.replace(
        QUICK, epochs=400, validation_fraction=0.3, patience=8, learning_rate=0.02, schedule="constant"
    )
    network, history = run(counted, settings)
    assert len(history.validation_loss) == len(history.training_loss) < 400
    assert history.best_epoch == int(np.argmin(history.validation_loss))
    shorter, _ = run(counted, dataclasses.replace(settings, epochs=history.best_epoch + 1))
    np.testing.assert_array_equal(weights(network), weights(shorter))


def test_augmentation_turns_site_targets_with_the_occupations(counted: Dataset) -> None:
    """Charges here are an exact function of the occupations, so a wrongly turned target would contradict its input."""
    network = DenseNetwork(counted.lattice, ("charge",), DenseSettings(4))
    batches = Batches(network, counted, dataclasses.replace(QUICK, augment=True))
    neighbours = counted.lattice.shells(1)[0].neighbours
    turned = 0
    for inputs, targets in batches.shuffled():
        occupations = inputs[0].numpy()
        spins = 1.0 - 2.0 * occupations
        np.testing.assert_allclose(targets["charge"], 0.01 * spins * spins[:, neighbours].sum(axis=2), atol=1e-6)
        turned += int((~(occupations[:, None] == counted.occupations[None]).all(axis=2).any(axis=1)).sum())
    assert turned > 10


def test_fit_start_is_called_once_with_scaled_network(counted: Dataset) -> None:
    calls: list[float] = []

    class Starting(DenseNetwork):
        def fit_start(self, inputs: tuple[torch.Tensor, ...], targets: dict[str, torch.Tensor]) -> None:
            assert len(inputs[0]) == len(targets["energy"]) == len(counted)
            calls.append(float(self.get_buffer("energy_scale")))

    train(Starting(counted.lattice, ("energy",), DenseSettings(4)), counted, dataclasses.replace(QUICK, epochs=0))
    assert calls == [pytest.approx(float(counted.mixing_energy.std()))]


def test_norm_loss_weighs_energies_as_total_energies(counted: Dataset) -> None:
    """With alpha = 1 the loss is alpha times the 2-norm, scaled from mixing to total energies; charges as they are."""
    targets = targets_of(counted, ("energy", "charge"))
    loss = make_loss(counted, targets, TrainingSettings(loss="norm", weights={"energy": 1e-4, "charge": 8.0}))
    wrong = {"energy": targets["energy"] + 0.01, "charge": targets["charge"] + 0.002}
    ratio = counted.energy.std() / counted.mixing_energy.std()
    n, n_sites = counted.occupations.shape
    wanted = 1e-4 * ratio * 0.01 * math.sqrt(n) + 8.0 * 0.002 * math.sqrt(n * n_sites)
    assert float(loss(wrong, targets)) == pytest.approx(wanted, rel=1e-9)


def test_weights_of_the_paper() -> None:
    assert paper_training("cuau", ("energy", "charge")).weights == {"energy": 1e-4, "charge": 8.0}
    assert paper_training("fept", ("energy", "charge", "moment")).weights["charge"] == 70.0
    assert paper_training("fept", ("charge", "moment")).weights == {"charge": 1.7, "moment": 1.0}
    assert paper_training("fept", ("energy",)).batch_fraction == 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"batch_fraction": 1.5},
        {"epochs": -1},
        {"validation_fraction": 0.95},
        {"patience": 0},
        {"weights": {"entropy": 1.0}},
        {"weights": {"energy": -1.0}},
        {"loss": "huber"},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        TrainingSettings(**wrong)


def test_missing_targets_and_unknown_tasks_are_refused(counted: Dataset) -> None:
    with pytest.raises(InputError, match="no moment"):
        targets_of(load_dataset("cuau"), ("moment",))
    for tasks in ((), ("energy", "energy"), ("entropy",)):
        with pytest.raises(InputError, match="tasks"):
            check_tasks(tasks)
    with pytest.raises(InputError, match="validation_fraction"):
        run(counted.select(np.arange(1)), dataclasses.replace(QUICK, validation_fraction=0.5))


def test_divergence_is_an_error(counted: Dataset) -> None:
    class Broken(DenseNetwork):
        def forward(self, occupations: torch.Tensor) -> dict[str, torch.Tensor]:
            return {task: values * math.nan for task, values in super().forward(occupations).items()}

    with pytest.raises(InputError, match="diverged"):
        train(Broken(counted.lattice, ("energy",), DenseSettings(4)), counted, QUICK)
