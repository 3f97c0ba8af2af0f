"""The dense surrogate at run time: NumPy and compiled kernels, no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from surrogate import dense_kernels
from surrogate.dense_kernels import FIRST_LAYER_QUANTUM, DenseTables
from surrogate.layer_kernels import padded_length
from surrogate.settings import TASKS, DenseSettings
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledEnergy, Properties

MAX_FIRST_LAYER = 2.0**16
"""Weights of the first layer up to this size are summed exactly."""

ROWS_PER_THREAD = 2048
"""Batches are spread over threads in pieces of this many configurations."""


class DenseEnergy:
    """Energies, charges and moments of a trained dense network.

    Parameters
    ----------
    lattice : Lattice
        The very cell that the network was trained on.
    settings : DenseSettings
    arrays : mapping of str to array
        Weights by their names in :class:`surrogate.dense_network.DenseNetwork`.

    Raises
    ------
    InputError
        If arrays are missing or have the wrong shape.
    """

    def __init__(self, lattice: Lattice, settings: DenseSettings, arrays: Mapping[str, np.ndarray]) -> None:
        self.tasks = tuple(task for task in TASKS if f"head.{task}.weight" in arrays)
        self._arrays = arrays
        _check_shapes(arrays, self.tasks, lattice.n_sites, settings.width)
        self._tables = _make_tables(arrays, self.tasks) if "energy" in self.tasks else None

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry; independent of the batch."""
        tables = self._energy_tables()
        rows = np.ascontiguousarray(occupations, dtype=np.int8)
        energies = np.empty(len(rows))

        def fill(start: int) -> None:
            piece = slice(start, start + ROWS_PER_THREAD)
            cache = np.empty(dense_kernels.cache_size(tables.first_bias.size))
            dense_kernels.fill_energies(tables, rows[piece], cache, energies[piece])

        in_threads(fill, range(0, len(rows), ROWS_PER_THREAD))
        return energies

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy (NaN where the network has not learnt it), charges and moments of each configuration."""
        rows = np.ascontiguousarray(occupations, dtype=np.int8)
        energy = self.energies(rows) if self._tables is not None else np.full(len(rows), np.nan)
        hidden = rows.astype(np.float64)
        for layer in ("first", "second"):
            hidden = np.maximum(self._linear(layer, hidden), 0.0)
        return Properties(energy, self._per_site("charge", hidden), self._per_site("moment", hidden))

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        tables = self._energy_tables()
        size = dense_kernels.cache_size(tables.first_bias.size)
        kernels = dense_kernels
        return CompiledEnergy(tables, size, kernels.prepare, kernels.trial, kernels.commit, kernels.trials)

    def _energy_tables(self) -> DenseTables:
        if self._tables is None:
            raise InputError(f"this surrogate has learnt {', '.join(self.tasks)} but no energy; it cannot be sampled")
        return self._tables

    def _linear(self, layer: str, values: np.ndarray) -> np.ndarray:
        return values @ self._arrays[f"{layer}.weight"].astype(np.float64).T + self._arrays[f"{layer}.bias"]

    def _per_site(self, task: str, hidden: np.ndarray) -> np.ndarray | None:
        if task not in self.tasks:
            return None
        own = np.maximum(self._linear(f"branch.{task}", hidden), 0.0) if len(self.tasks) > 1 else hidden
        return self._arrays[f"{task}_shift"] + self._arrays[f"{task}_scale"] * self._linear(f"head.{task}", own)


def in_threads(work: Callable[[int], None], starts: range) -> None:
    """Do pieces of work that release the interpreter lock, on all cores that this process may use."""
    n_threads = min(len(starts), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    if n_threads <= 1:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(work, starts))


def _check_shapes(arrays: Mapping[str, np.ndarray], tasks: tuple[str, ...], n_sites: int, width: int) -> None:
    if not tasks:
        raise InputError("the arrays hold no output layer")
    own = width if len(tasks) == 1 else width // len(tasks)
    layers = {"first": (width, n_sites), "second": (width, width)}
    for task in tasks:
        layers |= {f"branch.{task}": (own, width)} if len(tasks) > 1 else {}
        layers[f"head.{task}"] = (1 if task == "energy" else n_sites, own)
    expected: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in layers.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    expected |= {f"{task}_{part}": () for task in tasks for part in ("shift", "scale")}
    for name, shape in expected.items():
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "missing"
            raise InputError(f"array {name!r} is {found}; the card calls for shape {shape}")


def _make_tables(arrays: Mapping[str, np.ndarray], tasks: tuple[str, ...]) -> DenseTables:
    first, first_bias = (np.asarray(arrays[f"first.{part}"], dtype=np.float64) for part in ("weight", "bias"))
    if max(abs(first).max(), abs(first_bias).max()) > MAX_FIRST_LAYER:
        raise InputError(f"weights of the first layer exceed the limit of {MAX_FIRST_LAYER:g}; train with weight decay")
    third = [arrays[f"branch.energy.{part}"] for part in ("weight", "bias")] if len(tasks) > 1 else None
    scale, shift = float(arrays["energy_scale"]), float(arrays["energy_shift"])
    return DenseTables(
        _padded(_rounded(first).T, np.float64, rows=False),
        _padded(_rounded(first_bias), np.float64),
        _padded(arrays["second.weight"].T, np.float32),
        _padded(arrays["second.bias"], np.float32),
        _padded(third[0].T, np.float32) if third else np.zeros((0, 0), dtype=np.float32),
        _padded(third[1], np.float32) if third else np.zeros(0, dtype=np.float32),
        _padded(arrays["head.energy.weight"][0], np.float32),
        shift + scale * float(arrays["head.energy.bias"][0]),
        scale,
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values / FIRST_LAYER_QUANTUM) * FIRST_LAYER_QUANTUM


def _padded(values: np.ndarray, dtype: type, *, rows: bool = True) -> np.ndarray:
    """Fill up axes with zeros to whole blocks and start at a cache line: vector loads across two lines cost double."""
    whole = [padded_length(n) for n in values.shape]
    shape = whole if rows else [values.shape[0], *whole[1:]]
    raw = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    padded: np.ndarray = raw[start : start + raw.size - 64].view(dtype).reshape(shape)
    padded[tuple(slice(n) for n in values.shape)] = values
    return padded
