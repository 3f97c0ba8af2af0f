"""Processes that write result files until they are killed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from known_levels import description, exact_levels, noisy_record

from surrogate.artefact import Card, describe_lattice, save_artefact
from surrogate.dataset import load_dataset, save_dataset
from wanglandau.run_file import write_exact, write_run
from wanglandau.systems import load_system

LATTICE = load_system("cuau").lattice
LEVELS, DATASET = exact_levels(), load_dataset("cuau").select(np.arange(20))
CARD = Card("dense", ["energy"], {}, list(LATTICE.species), describe_lattice(LATTICE), [0.0, 0.0])


def write_for_ever(name: str) -> None:
    """Write one kind of file over and over, never twice the same."""
    for number in itertools.count(1):
        match name:
            case "run.h5":
                write_run(Path(name), noisy_record(seed=number))
            case "exact.h5":
                write_exact(Path(name), LEVELS, duration_s=float(number), **description())
            case "model.safetensors":
                save_artefact(name, {"weights": np.full(5000, float(number))}, CARD)
            case "data.h5":
                save_dataset(DATASET.select(np.arange(1 + number % 20)), name)


def write_in_place(name: str) -> None:
    """Write over the old file, as many programs do."""
    content = b"x" * 2**22
    while True:
        with open(name, "wb") as file:
            for start in range(0, len(content), 2**12):
                file.write(content[start : start + 2**12])
                file.flush()
