"""The lattice surrogate of a block of configurations inside a Triton kernel: sums of two table look-ups per site.

See :mod:`surrogate.lattice_kernels`: table entries are whole multiples of the energy quantum, so that their sums are
exact in any order and equal those of the processor to the bit.
"""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def lattice_energy(surroundings, site_energies, star_energies, real, BITS: tl.constexpr):
    """Return energies, ``float64[BLOCK]``, Ry, from the surroundings of all sites, ``int64[BLOCK, SITES]``."""
    environment = surroundings & ((1 << BITS) - 1)
    energies = tl.load(site_energies + environment, mask=real, other=0.0)
    energies += tl.load(star_energies + (surroundings >> BITS), mask=real, other=0.0)
    return tl.sum(energies, axis=1)
