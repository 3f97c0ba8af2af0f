"""Sixty networks trained together, and how long they take one after the other.

Replicas of the paper's network (energy and charges together), each on a shuffled split of its own, are trained for some
epochs of the paper's recipe: stacked in one tensor program (all of them on a GPU, as many as the caches hold on a CPU),
and one of them alone. On a GPU a step is a captured graph; a network alone is also timed step by step, as a plain
training loop would go.

Run: python examples/10_training_together.py [--device cuda] [--replicas 60] [--epochs 40] [--smoke]
"""

import argparse
import time

import numpy as np
import torch

from surrogate.dataset import Dataset
from surrogate.model_data import Sample, label
from surrogate.oracle import find_model, make_oracle
from surrogate.settings import DenseSettings, paper_training
from surrogate.stacked_network import new_stack
from surrogate.stacked_training import Splits, StackedTraining, replicas_together
from surrogate.study_splits import make_splits
from wanglandau.systems import load_system

TASKS = ("energy", "charge")


def seconds_per_epoch(data: Dataset, n_replicas: int, epochs: int, device: str, graphs: bool = True) -> float:
    drawn = make_splits(data, n_replicas, seed=0, by_orbit=False)
    splits = Splits(drawn.training, drawn.validation, np.arange(n_replicas))
    stack = new_stack(data.lattice, TASKS, DenseSettings(200), splits.seeds).to(device)
    training = StackedTraining(stack, data, splits, paper_training("cuau", TASKS), graphs=graphs)
    training.advance(1)
    started = time.perf_counter()
    training.advance(epochs)
    float(training.best_loss[0])  # wait for the device
    return (time.perf_counter() - started) / epochs


parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cpu")
parser.add_argument("--replicas", type=int, default=60)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--smoke", action="store_true")
options = parser.parse_args()
system = load_system("cuau")
sample = Sample(20 if options.smoke else 1000)
data = label(make_oracle(find_model("lattice", system), system.lattice), sample, "cuau")
epochs, replicas = (2, 3) if options.smoke else (options.epochs, options.replicas)

size = replicas_together(replicas, options.device)
together = seconds_per_epoch(data, size, epochs, options.device) * replicas / size
alone = {"alone": seconds_per_epoch(data, 1, epochs, options.device)}
if options.device == "cuda":
    alone = {
        "alone, captured graph": alone["alone"],
        "alone, step by step": seconds_per_epoch(data, 1, epochs, "cuda", graphs=False),
    }
name = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
print(
    f"{len(data)} configurations of model data, {name}: {replicas} networks, {size} at a time, take {together:.4f} s "
    "an epoch"
)
for how, seconds in alone.items():
    print(
        f"{how}: {seconds:.4f} s an epoch; one after the other takes {replicas * seconds / together:.1f} times as long"
    )
