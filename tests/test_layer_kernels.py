"""Compiled arithmetic of one layer against exact sums rounded after every term."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from surrogate.layer_kernels import (
    LANES,
    NARROW,
    OCTET,
    SECTION,
    WIDE,
    add_layer,
    add_layers,
    list_active,
    padded_length,
    weigh_active,
)


def layer(n_inputs: int, n_outputs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    nodes = rng.normal(size=n_inputs).astype(np.float32)
    weights = rng.normal(size=(n_inputs, n_outputs)).astype(np.float32)
    return nodes, weights, rng.normal(size=n_outputs).astype(np.float32)


def listed(nodes: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    active = np.zeros(len(nodes) + OCTET, dtype=np.int32)
    bounds = np.full(-(-len(nodes) // SECTION) + 1, -1, dtype=np.int32)
    return list_active(nodes.ctypes.data, len(nodes), active.ctypes.data, bounds.ctypes.data), active, bounds


def fused(x: np.float32, y: np.float32, z: np.float32) -> np.float32:
    return np.float32(float(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))))


def test_padded_lengths_are_the_shortest_whole_blocks() -> None:
    for n in range(1, 500):
        vectors = padded_length(n) // LANES
        blocks = {WIDE * a + NARROW * b for a in range(20) for b in range(20)} - {0}
        assert padded_length(n) % LANES == 0 and vectors == min(m for m in blocks if LANES * m >= n)


@pytest.mark.parametrize("n_inputs", [LANES, 96, 208, 304])
def test_active_nodes_are_listed_in_order_with_their_sections(n_inputs: int) -> None:
    nodes = layer(n_inputs, 1)[0]
    nodes[3::7], nodes[5::11] = 0.0, -0.0
    n_active, active, bounds = listed(nodes)
    expected = np.flatnonzero(nodes > 0)
    np.testing.assert_array_equal(active[:n_active], expected)
    np.testing.assert_array_equal(bounds, [(expected < SECTION * k).sum() for k in range(len(bounds))])
    assert listed(np.full(n_inputs, -1.0, dtype=np.float32))[0] == 0
    assert listed(np.ones(n_inputs, dtype=np.float32))[0] == n_inputs


@pytest.mark.parametrize("n_outputs", [96, 112, 208])
def test_sums_take_their_terms_in_order_with_one_rounding_each(n_outputs: int) -> None:
    nodes, weights, bias = layer(96, n_outputs)
    n_active, active, _ = listed(nodes)
    sums = np.empty(n_outputs, dtype=np.float32)
    places = (sums.ctypes.data, bias.ctypes.data, weights.ctypes.data)
    add_layer(*places, n_outputs, active.ctypes.data, nodes.ctypes.data, n_active)
    exact, separate = bias.copy(), bias.copy()
    for i in np.flatnonzero(nodes > 0):
        exact = np.array([fused(nodes[i], w, s) for w, s in zip(weights[i], exact, strict=True)])
        separate = separate + nodes[i] * weights[i]
    np.testing.assert_array_equal(sums, exact)
    assert (sums != separate).any()  # two roundings a term would be noticed


@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(96, 96), (208, 208), (208, 112), (304, 304)])
def test_walkers_together_have_the_sums_they_have_alone(n_inputs: int, n_outputs: int) -> None:
    n_walkers, length = 5, 2000
    rows = np.zeros((n_walkers, length), dtype=np.float32)  # sums, nodes, active and bounds of a walker in one row
    _, weights, bias = layer(n_inputs, n_outputs)
    starts = (0, 500, 1000, 1500)
    sums, nodes, active, bounds = (rows.ctypes.data + 4 * start for start in starts)
    alone = []
    for k in range(n_walkers):
        own = layer(n_inputs, 1, seed=k)[0] + np.float32(k - 2)  # few to nearly all are active
        rows[k, 500 : 500 + n_inputs] = own
        step = k * rows.strides[0]
        n_active = list_active(nodes + step, n_inputs, active + step, bounds + step)
        result = np.empty(n_outputs, dtype=np.float32)
        place = (result.ctypes.data, bias.ctypes.data, weights.ctypes.data)
        add_layer(*place, n_outputs, active + step, nodes + step, n_active)
        alone.append(result)
    walkers, places = (n_walkers, rows.strides[0]), (sums, active, nodes, bounds)
    add_layers(walkers, places, bias.ctypes.data, weights.ctypes.data, n_outputs, n_inputs)
    np.testing.assert_array_equal(rows[:, :n_outputs], alone)


@pytest.mark.parametrize("n_nodes", [96, 112, 208])
def test_the_output_is_summed_in_a_fixed_order(n_nodes: int) -> None:
    nodes, _, _ = layer(n_nodes, 1)
    weights = layer(n_nodes, 1, seed=9)[0]
    lanes = np.zeros(2 * LANES, dtype=np.float32)
    for j in range(n_nodes):
        lanes[j % len(lanes)] = fused(max(nodes[j], np.float32(0)), weights[j], lanes[j % len(lanes)])
    total = 0.0
    for lane in lanes:
        total += float(lane)
    partial = np.empty(2 * LANES, dtype=np.float32)
    assert weigh_active(nodes.ctypes.data, weights.ctypes.data, n_nodes, partial) == total
