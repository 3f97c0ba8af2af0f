"""Trained surrogates whose walkers stay on an accelerator: ``--oracle surrogate:WHICH@cuda``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from ase import units
from torch import Tensor

from surrogate.artefact import Artefact
from surrogate.dense_energy import DenseEnergy
from surrogate.dense_kernels import DenseTables
from surrogate.device.crowds import Crowd
from surrogate.device.energies import EnergyOfConfigurations, LatticeSurroundings
from surrogate.device.enumeration import count_levels
from surrogate.device.lock_step import LockStep
from surrogate.device.models import MASK_SITES, PRECISIONS, pack_dense, pack_lattice
from surrogate.lattice_energy import LatticeEnergy
from surrogate.network_oracle import finite
from surrogate.oracle import SurrogateOracle, surrogate_identity
from surrogate.torch_oracle import TorchOracle
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import DeviceCrowd, EnergyOracle, LevelCounts, occupation_rows

ACCURATE = ("fp16x3", "tf32x3", "ieee")
"""Arithmetic as accurate as float32."""
SAMPLE = 4096
LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")
"""Environment variables in which Open MPI, MPI implementations by Intel and others, and Slurm count processes."""
TILING = (64, 4, 3)
"""Walkers to a block, warps to a block and loads under way: the fastest of those tried on an H200."""


@contextmanager
def _failures_told(device: torch.device) -> Iterator[None]:
    """Make errors of the oracle of those that torch raises for a device."""
    try:
        yield
    except RuntimeError as error:
        raise OracleError(f"the device {device} failed: {str(error).splitlines()[0]}") from error


class LatticeOnDevice(SurrogateOracle):
    """A lattice network: energies by compiled code, crowds of walkers on the device, with the same energies.

    Parameters
    ----------
    artefact : Artefact
    lattice : Lattice
    device : torch.device
    """

    def __init__(self, artefact: Artefact, lattice: Lattice, device: torch.device) -> None:
        super().__init__(artefact, lattice)
        self._device = device

    def on_device(self) -> DeviceCrowd:
        """Return what advances walkers on the device: the fused kernel for cells that fit it, else a captured graph."""
        assert isinstance(self._network, LatticeEnergy)
        tables, n_sites = self._network.tables, self.lattice.n_sites
        if n_sites > MASK_SITES or not has_triton():
            return Crowd(LockStep(LatticeSurroundings(tables, self._device)), self._device)
        from surrogate.device.fused_walks import FusedTurns, Tiling  # needs triton

        return Crowd(FusedTurns(pack_lattice(tables, self._device), n_sites, Tiling(*TILING)), self._device)


class DenseOnDevice:
    """A dense network evaluated by the fused kernel, on its own and inside walks.

    Parameters
    ----------
    artefact : Artefact
    lattice : Lattice
        Of up to 64 sites.
    device : torch.device
    precision : str
        One of :data:`surrogate.device.models.PRECISIONS`.

    Raises
    ------
    InputError
        If the artefact does not fit the lattice or the kernel.
    """

    invariant = False

    def __init__(self, artefact: Artefact, lattice: Lattice, device: torch.device, precision: str) -> None:
        from surrogate.device.fused_walks import Tiling  # needs triton

        network = SurrogateOracle(artefact, lattice)._network
        assert isinstance(network, DenseEnergy)
        self.artefact, self.lattice = artefact, lattice
        self.reference_energies = np.array(artefact.card.reference_energies, dtype=np.float64)
        self.identity = surrogate_identity(artefact, lattice, f"{precision} {device.type}")
        self._device, self._tiling = device, Tiling(*TILING)
        tables: DenseTables = network.compiled().parameters
        self._model = pack_dense(tables, precision, device)
        self.caution = "\n".join(filter(None, [artefact.card.caution, self._error_of(precision)]))

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry; independent of the batch."""
        rows = torch.from_numpy(occupation_rows(occupations, self.lattice.n_sites)).to(self._device)
        return finite(self._energies(rows).cpu().numpy())

    def energies_of_masks(self, masks: Tensor) -> Tensor:
        """Give the energies of ``int64[n]`` on the device, a bit for each site, ``float64[n]``, Ry."""
        from surrogate.device.fused_walks import dense_energies_of

        return dense_energies_of(self._model, self._tiling, masks)

    def count_levels(self, level_bits: int, max_kept: int, progress: Callable[[int], object]) -> list[LevelCounts]:
        """Count the levels of all configurations; see :class:`wanglandau.oracle.CountingOracle`."""
        with _failures_told(self._device):
            return count_levels(
                self.energies_of_masks, self.lattice.n_sites, level_bits, max_kept, self._device, progress
            )

    def on_device(self) -> DeviceCrowd:
        """Return what advances walkers on the device."""
        from surrogate.device.fused_walks import FusedTurns

        return Crowd(FusedTurns(self._model, self.lattice.n_sites, self._tiling), self._device)

    def _energies(self, rows: Tensor) -> Tensor:
        from surrogate.device.fused_walks import masks_of

        with _failures_told(self._device):
            return self.energies_of_masks(masks_of(rows))

    def _error_of(self, precision: str) -> str:
        """Say what an arithmetic of fewer digits than float32 does to energies."""
        if precision in ACCURATE:
            return ""
        rows = np.random.default_rng(0).integers(0, 2, (SAMPLE, self.lattice.n_sites), dtype=np.int8)
        error = np.abs(self.energies(rows) - TorchOracle(self.artefact, self.lattice, "cpu").energies(rows)).max()
        error *= units.Ry * 1e3 / self.lattice.n_sites
        return f"Arithmetic {precision}: {SAMPLE} random configurations are off by up to {error:.2g} meV/atom."


class LockStepOracle(TorchOracle):
    """Any network, evaluated by torch in float64; crowds of walkers stay on the device."""

    def on_device(self) -> DeviceCrowd:
        """Return what advances walkers on the device."""
        return Crowd(LockStep(EnergyOfConfigurations(self.tensor_energies)), self._device)


def local_rank() -> int:
    """Return the number of this process among those of its node, 0 where nobody counted them.

    Processes that share a calculation so take accelerators of their own.
    """
    for name in LOCAL_RANKS:
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 0


def has_triton() -> bool:
    """Tell whether kernels can be made."""
    return importlib.util.find_spec("triton") is not None


def oracle_on(artefact: Artefact, lattice: Lattice, argument: str) -> EnergyOracle:
    """Make the oracle of ``surrogate:WHICH@DEVICE[/ARITHMETIC]``.

    Parameters
    ----------
    artefact : Artefact
    lattice : Lattice
    argument : str
        A device that torch knows, such as ``cuda`` or ``cpu``, and for dense networks on an accelerator one of
        :data:`surrogate.device.models.PRECISIONS`.

    Raises
    ------
    InputError
        If there is no such device or arithmetic, or the artefact does not fit the lattice.
    """
    name, slash, precision = argument.partition("/")
    device = _device(name)
    fused = device.type == "cuda" and has_triton() and lattice.n_sites <= MASK_SITES
    dense = artefact.card.architecture == "dense"
    if slash and not (dense and fused):
        raise InputError(f"arithmetic {precision!r} is a choice of dense networks on cuda; leave '/{precision}' out")
    if device.type == "cpu":
        return TorchOracle(artefact, lattice, name)
    if dense and fused:
        return DenseOnDevice(artefact, lattice, device, precision or PRECISIONS[0])
    if artefact.card.architecture == "lattice":
        return LatticeOnDevice(artefact, lattice, device)
    return LockStepOracle(artefact, lattice, name)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None and torch.cuda.device_count() > 1:
            device = torch.device("cuda", local_rank() % torch.cuda.device_count())
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"cannot set the surrogate up on device {name!r}: {reason}") from error
    return device
