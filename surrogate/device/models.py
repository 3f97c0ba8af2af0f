"""What the kernels need to know of a trained surrogate, packed for a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from surrogate.dense_kernels import DenseTables
from surrogate.lattice_kernels import LatticeTables
from wanglandau.errors import InputError
from wanglandau.oracle import ENERGY_QUANTUM

MASK_SITES = 64
"""Occupations of up to so many sites fit one mask."""
SMALLEST_PIECE = 16
"""Matrix units take no fewer rows or columns."""
PRECISIONS = ("fp16x3", "tf32x3", "ieee", "tf32", "fp16", "bf16")
"""Arithmetic of matrix products, the default first. The first three are as accurate as float32 (numbers split into two
of 11 bits and three products of those; or 24 bits as they are), the others have 11, 11 and 8 bits. Sums are float32."""
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class PackedModel:
    """A model as ``surrogate.device.fused.fused_turn`` takes it.

    Attributes
    ----------
    weights : float32[n] or float16[n] (dense), float64[n] (lattice)
        Of a dense network: layer by layer, rows hold what leaves one node.
    low : float16[n]
        What rounding to float16 took from the weights; empty where they are not rounded.
    nodes : float32[n]
        Biases of the layers and weights of the output.
    changes : int64[sites, sites]
        What a flip of a site adds to the surroundings of every site; empty for a dense network.
    numbers : float64[5]
        Start of the energy grid and inverse width of its bins (0 here, see :meth:`on_grid`), the quantum of energies,
        and shift and scale of a dense network, Ry.
    sites : int
        Number of sites, filled up to a power of two.
    shape : dict
        Compile-time numbers of the kernel.
    """

    weights: Tensor
    low: Tensor
    nodes: Tensor
    changes: Tensor
    numbers: Tensor
    sites: int
    shape: dict[str, int | str]

    def on_grid(self, start: float, inverse_width: float) -> Tensor:
        """Return the numbers with those of an energy grid."""
        numbers = self.numbers.clone()
        numbers[0], numbers[1] = start, inverse_width
        return numbers


def pack_dense(tables: DenseTables, precision: str, device: torch.device) -> PackedModel:
    """Pack a dense network.

    Raises
    ------
    InputError
        If the precision is not known or the cell is too large.
    """
    if precision not in PRECISIONS:
        raise InputError(f"arithmetic {precision!r} is not known; choose one of {', '.join(PRECISIONS)}")
    if precision.startswith("fp16"):
        tables = scaled(tables)
    n_sites, width = tables.first.shape[0], _width(tables)
    sites, pieces = _sites(n_sites), _pieces(width)
    total, own = sum(pieces), _own(tables)
    layers = [_filled(tables.first, (sites, total)), _filled(tables.second, (total, total))]
    nodes = [_filled(tables.first_bias, (total,)), _filled(tables.second_bias, (total,))]
    if own:
        layers.append(_filled(tables.third, (total, own)))
        nodes.append(_filled(tables.third_bias, (own,)))
    nodes.append(_filled(tables.output, (own or total,)))
    weights, low = _split(np.concatenate([layer.ravel() for layer in layers]), precision)
    names = dict(zip("ABC", (*pieces, 0, 0)[:3], strict=True))
    sizes = {"WIDTH": total, "CHUNK": SMALLEST_PIECE, **names, "OWN": own, "BITS": 0, "STAR": 0}
    shape: dict[str, int | str] = {**sizes, "PRECISION": precision}
    first, rest, last = (torch.from_numpy(values).to(device) for values in (weights, low, np.concatenate(nodes)))
    empty = torch.zeros(1, dtype=torch.int64, device=device)
    return PackedModel(first, rest, last, empty, _numbers(tables.shift, tables.scale, device), sites, shape)


def scaled(tables: DenseTables) -> DenseTables:
    """Scale a dense network by powers of two so that its numbers use the range of float16 well.

    Nodes are linear or zero, hence a factor on weights and bias of a layer goes through to the output. The bounds on
    nodes hold for any occupations.

    Raises
    ------
    InputError
        If nodes of the network may leave the range of float16.
    """
    first = _bound(tables.first, np.ones(len(tables.first)), tables.first_bias)
    second = _bound(tables.second, first, tables.second_bias)
    room = _power(LARGEST_HALF / max(first.max(), 1e-30))
    factor1 = min(room, 2.0**4, _power(LARGEST_HALF / max(np.abs(tables.first).max(), 1e-30)))
    factor2 = _power(LARGEST_HALF / max(np.abs(tables.second).max(), 1e-30) / 8.0)
    factor3 = 1.0
    if len(tables.third):
        factor2 = min(factor2, _power(LARGEST_HALF / max(factor1 * second.max(), 1e-30)))
        factor3 = _power(LARGEST_HALF / max(np.abs(tables.third).max(), 1e-30) / 8.0)
    if min(factor1, factor2) < 1.0:
        raise InputError("nodes of this network may leave the range of float16; name another arithmetic, such as ieee")
    one, two = factor1, factor1 * factor2
    return tables._replace(
        first=tables.first * one,
        first_bias=tables.first_bias * one,
        second=tables.second * np.float32(factor2),
        second_bias=tables.second_bias * np.float32(two),
        third=tables.third * np.float32(factor3),
        third_bias=tables.third_bias * np.float32(two * factor3),
        scale=tables.scale / (two * factor3),
    )


def _bound(weights: np.ndarray, inputs: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return what the nodes of a layer cannot exceed if its inputs lie between 0 and ``inputs``."""
    return np.maximum(np.maximum(weights, 0.0).T.astype(np.float64) @ inputs[: len(weights)] + bias, 0.0)


def _power(value: float) -> float:
    """Return the largest power of two up to a value."""
    return float(2.0 ** np.floor(np.log2(value)))


def _split(weights: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Return weights as the arithmetic takes them and what rounding took from them."""
    if not precision.startswith("fp16"):
        return weights, np.zeros(1, dtype=np.float16)
    high = weights.astype(np.float16)
    return high, (weights - high.astype(np.float32)).astype(np.float16)


def pack_lattice(tables: LatticeTables, device: torch.device) -> PackedModel:
    """Pack a lattice network on a cell of up to ``MASK_SITES`` sites.

    Raises
    ------
    InputError
        If the cell is larger.
    """
    n_sites = len(tables.touched)
    sites = _sites(n_sites)
    changes = np.zeros((sites, sites), dtype=np.int64)
    np.add.at(changes, (np.arange(n_sites)[:, None], tables.touched.astype(np.int64)), tables.changes.astype(np.int64))
    flat = np.concatenate([tables.site_energies, tables.star_energies])
    shape: dict[str, int | str] = {"WIDTH": 0, "CHUNK": 0, "A": 0, "B": 0, "C": 0, "OWN": 0, "PRECISION": "ieee"}
    shape |= {"BITS": int(tables.bits), "STAR": len(tables.site_energies)}
    empty = torch.zeros(1, device=device)
    arrays = (torch.from_numpy(flat).to(device), empty, empty, torch.from_numpy(changes).to(device))
    return PackedModel(*arrays, _numbers(0.0, 0.0, device), sites, shape)


def _numbers(shift: float, scale: float, device: torch.device) -> Tensor:
    return torch.tensor([0.0, 0.0, ENERGY_QUANTUM, shift, scale], dtype=torch.float64, device=device)


def _sites(n_sites: int) -> int:
    if n_sites > MASK_SITES:
        raise InputError(f"the fused kernel holds cells of up to {MASK_SITES} sites; this one has {n_sites}")
    return max(SMALLEST_PIECE, 1 << (n_sites - 1).bit_length())


def _pieces(width: int) -> list[int]:
    """Cut a width, rounded up, into at most three powers of two, the largest first."""
    units = -(-width // SMALLEST_PIECE)
    while units.bit_count() > 3:
        units += 1
    return [SMALLEST_PIECE << bit for bit in reversed(range(units.bit_length())) if units >> bit & 1]


def _width(tables: DenseTables) -> int:
    """Return the number of nodes of a hidden layer without the padding, which does nothing."""
    used = tables.second.any(axis=0) | tables.second.any(axis=1) | (tables.second_bias != 0)
    if not len(tables.third):
        used |= tables.output != 0
    return int(np.flatnonzero(used).max(initial=0)) + 1


def _own(tables: DenseTables) -> int:
    if not len(tables.third):
        return 0
    used = int(np.flatnonzero(tables.output).max(initial=0)) + 1
    return max(SMALLEST_PIECE, 1 << (used - 1).bit_length())


def _filled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cut off the padding of the processor's tables and fill up to the device's shape."""
    filled = np.zeros(shape, dtype=np.float32)
    part = tuple(slice(min(have, want)) for have, want in zip(values.shape, shape, strict=True))
    filled[part] = values[part]
    return filled
