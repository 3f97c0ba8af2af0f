"""Kernels that make whole turns of trials for walkers of up to 64 sites, and the kernel for single energies."""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

from surrogate.device.block_state import (
    load_floats,
    load_integers,
    load_random,
    store_floats,
    store_integers,
    store_random,
)
from surrogate.device.dense_block import dense_output
from surrogate.device.lattice_block import lattice_energy
from surrogate.device.steps import (
    count_proposals,
    count_visits,
    exchange_places,
    find_bin,
    next_random,
    pick_sites,
    turn_round,
    uniform,
)


@triton.jit
def dense_energy(
    mask,
    site_numbers,
    weights,
    low,
    nodes,
    numbers,
    BLOCK: tl.constexpr,
    SITES: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    A: tl.constexpr,
    B: tl.constexpr,
    C: tl.constexpr,
    OWN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Return energies, ``float64[BLOCK]``, Ry, of occupations with a bit for each site; ``numbers``: see fused_turn."""
    occupied = ((mask[:, None] >> site_numbers[None, :].to(tl.int64)) & 1).to(tl.float32)
    out = dense_output(occupied, weights, low, nodes, BLOCK, SITES, WIDTH, CHUNK, A, B, C, OWN, PRECISION)
    quantum = tl.load(numbers + 2)
    energy = tl.load(numbers + 3) + tl.load(numbers + 4) * out.to(tl.float64)
    return tl.floor(energy / quantum + 0.5) * quantum


@triton.jit
def dense_energies(
    masks,
    energies,
    weights,
    low,
    nodes,
    numbers,
    n,
    BLOCK: tl.constexpr,
    SITES: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    A: tl.constexpr,
    B: tl.constexpr,
    C: tl.constexpr,
    OWN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Write the energy of every configuration ``int64[n]``."""
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = tl.load(masks + rows, mask=rows < n, other=0)
    energy = dense_energy(
        mask, tl.arange(0, SITES), weights, low, nodes, numbers, BLOCK, SITES, WIDTH, CHUNK, A, B, C, OWN, PRECISION
    )
    tl.store(energies + rows, energy, mask=rows < n)


@triton.jit
def _sign(mask, site):
    return 1 - 2 * ((mask >> site.to(tl.int64)) & 1)


@triton.jit
def _change(changes, mask, site, site_numbers, SITES: tl.constexpr):
    rows = tl.load(changes + site[:, None] * SITES + site_numbers[None, :])
    return _sign(mask, site)[:, None] * rows


@triton.jit
def _flipped(mask, site, BLOCK: tl.constexpr):
    return mask ^ (tl.full((BLOCK,), 1, tl.int64) << site.to(tl.int64))


@triton.jit
def _propose(mask, composition, site1, site2, BLOCK: tl.constexpr, FLIPPING: tl.constexpr):
    proposed = _flipped(mask, site1, BLOCK)
    if FLIPPING:
        return proposed, composition + _sign(mask, site1)
    else:
        return _flipped(proposed, site2, BLOCK), composition


@triton.jit
def _note_refused(inside, energy, out_of_range, lowest_refused, highest_refused):
    out_of_range += (inside == 0).to(tl.int64)
    # What is not a number stays, for the extremes to tell: minimum and maximum would drop it.
    wrong = (energy != energy) | (lowest_refused != lowest_refused)
    lowest_refused = tl.where(inside, lowest_refused, tl.minimum(lowest_refused, energy))
    lowest_refused = tl.where(wrong, float("nan"), lowest_refused)
    highest_refused = tl.where(inside, highest_refused, tl.maximum(highest_refused, energy))
    return out_of_range, lowest_refused, highest_refused


@triton.jit
def _survey(mask, changes, site_numbers, n_sites: tl.constexpr, BLOCK: tl.constexpr, SITES: tl.constexpr):
    surroundings = tl.zeros((BLOCK, SITES), dtype=tl.int64)
    for site in range(n_sites):
        bit = (mask >> site) & 1
        surroundings += bit[:, None] * tl.load(changes + site * SITES + site_numbers)[None, :]
    return surroundings


@triton.jit
def _moved(surroundings, changes, mask, site1, site2, site_numbers, SITES: tl.constexpr, FLIPPING: tl.constexpr):
    moved = surroundings + _change(changes, mask, site1, site_numbers, SITES)
    if not FLIPPING:
        moved += _change(changes, mask, site2, site_numbers, SITES)
    return moved


@triton.jit
def fused_turn(
    masks,
    places,
    random,
    floats,
    integers,
    table,
    visits,
    totals,
    proposals,
    ends,
    weights,
    low,
    nodes,
    changes,
    numbers,
    n_walkers,
    n_bins,
    row_length,
    energy_bins,
    n_rounds,
    n_sites: tl.constexpr,
    BLOCK: tl.constexpr,
    SITES: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    A: tl.constexpr,
    B: tl.constexpr,
    C: tl.constexpr,
    OWN: tl.constexpr,
    PRECISION: tl.constexpr,
    BITS: tl.constexpr,
    STAR: tl.constexpr,
    FLIPPING: tl.constexpr,
    COUNTING: tl.constexpr,
    HOLDS_BOTTOM: tl.constexpr,
    HOLDS_TOP: tl.constexpr,
):
    """Give a block of walkers ``n_rounds`` trials on common weights.

    Walkers are ``masks`` int64[n_walkers], ``places`` int32[n_walkers, n_sites], and the arrays of
    :class:`surrogate.device.state.DeviceWalkers`; weights are those of :class:`DeviceWeights`. ``numbers`` is
    float64[5]: start of the grid, inverse width of its bins, energy quantum, and shift and scale of a dense network.
    BITS > 0 makes it the lattice surrogate, whose tables are ``weights`` (the star energies from place STAR on) and
    ``changes`` int64[SITES, SITES].
    """
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = rows < n_walkers
    sites = tl.arange(0, SITES)
    cells = rows[:, None] * n_sites + sites[None, :]
    known = real[:, None] & (sites < n_sites)[None, :]
    mask = tl.load(masks + rows, mask=real, other=0)
    lists = tl.load(places + cells, mask=known, other=0)
    s0, s1, s2, s3 = load_random(random, rows, real)
    energy, lowest, highest, lowest_refused, highest_refused, beta, field = load_floats(floats, rows, real, n_walkers)
    composition, index, origin, aim, accepted, out_of_range, heading, half_trips = load_integers(
        integers, rows, real, n_walkers
    )
    start, inverse_width = tl.load(numbers), tl.load(numbers + 1)
    bottom, top = tl.load(ends), tl.load(ends + 1)
    weight = tl.load(table + index, mask=real, other=0.0)
    surroundings = mask
    if BITS > 0:
        surroundings = _survey(mask, changes, sites, n_sites, BLOCK, SITES)
    for _ in range(n_rounds):
        bits, s0, s1, s2, s3 = next_random(s0, s1, s2, s3)
        first, second, site1, site2 = pick_sites(bits, composition, lists, sites, n_sites, FLIPPING)
        proposed, new_composition = _propose(mask, composition, site1, site2, BLOCK, FLIPPING)
        if BITS > 0:
            moved = _moved(surroundings, changes, mask, site1, site2, sites, SITES, FLIPPING)
            new_energy = lattice_energy(moved, weights, weights + STAR, known, BITS)
        else:
            new_energy = dense_energy(
                proposed, sites, weights, low, nodes, numbers, BLOCK, SITES, WIDTH, CHUNK, A, B, C, OWN, PRECISION
            )
        bits, s0, s1, s2, s3 = next_random(s0, s1, s2, s3)
        energy_bin, inside = find_bin(new_energy, start, inverse_width, energy_bins)
        target = energy_bin + new_composition * row_length
        new_weight = tl.load(table + target, mask=real & inside, other=0.0)
        gain = beta * (energy - new_energy) + field * (new_composition - composition).to(tl.float64)
        gain += tl.where(target != index, weight - new_weight, 0.0)
        taken = inside & ((gain >= 0.0) | (tl.log(uniform(bits)) < gain))
        origin, aim = index, tl.where(inside, target, -1)
        out_of_range, lowest_refused, highest_refused = _note_refused(
            inside, new_energy, out_of_range, lowest_refused, highest_refused
        )
        if not FLIPPING:
            lists = exchange_places(lists, sites, taken, first, second, site1, site2)
        if BITS > 0:
            surroundings = tl.where(taken[:, None], moved, surroundings)
        mask, composition = tl.where(taken, proposed, mask), tl.where(taken, new_composition, composition)
        energy, index = tl.where(taken, new_energy, energy), tl.where(taken, target, index)
        weight, accepted = tl.where(taken, new_weight, weight), accepted + taken.to(tl.int64)
        lowest, highest = tl.minimum(lowest, energy), tl.maximum(highest, energy)
        energy_bin = index - composition * row_length
        count_visits(visits, totals, index, energy_bin, energy, start, inverse_width, n_bins, real)
        if COUNTING:
            count_proposals(proposals, origin, aim, n_bins, real)
        heading, half_trips = turn_round(heading, half_trips, energy_bin, bottom, top, HOLDS_BOTTOM, HOLDS_TOP)
    tl.store(masks + rows, mask, mask=real)
    tl.store(places + cells, lists, mask=known)
    store_random(random, rows, real, s0, s1, s2, s3)
    store_floats(floats, rows, real, n_walkers, energy, lowest, highest, lowest_refused, highest_refused)
    store_integers(
        integers, rows, real, n_walkers, composition, index, origin, aim, accepted, out_of_range, heading, half_trips
    )
