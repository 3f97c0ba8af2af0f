"""Dense networks packed for an accelerator, evaluated on Triton's interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surrogate.dense_kernels import DenseTables
from surrogate.device.fused_walks import Tiling, dense_energies_of, masks_of, occupations_of
from surrogate.device.models import _pieces, pack_dense, scaled
from wanglandau.errors import InputError

CPU = torch.device("cpu")


def _small_network(own: int, rng: np.random.Generator) -> DenseTables:
    def weights(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    third = (weights(48, own), weights(own)) if own else (np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    return DenseTables(
        weights(12, 48).astype(np.float64),
        weights(48).astype(np.float64),
        weights(48, 48) / 7,
        weights(48),
        *third,
        weights(own or 48),
        -0.3,
        0.02,
    )


@pytest.mark.parametrize("own", [0, 24])
@pytest.mark.parametrize("precision", ["fp16x3", "tf32x3", "ieee"])
def test_any_shape_of_network(own: int, precision: str) -> None:
    tables = _small_network(own, np.random.default_rng(own))
    masks = torch.arange(0, 4096, 41)
    hidden = occupations_of(masks, 12).numpy() @ tables.first + tables.first_bias
    hidden = np.maximum(hidden, 0) @ tables.second.astype(np.float64) + tables.second_bias
    if own:
        hidden = np.maximum(hidden, 0) @ tables.third.astype(np.float64) + tables.third_bias
    wanted = tables.shift + tables.scale * (np.maximum(hidden, 0) @ tables.output.astype(np.float64))
    got = dense_energies_of(pack_dense(tables, precision, CPU), Tiling(16, 4, 2), masks).numpy()
    np.testing.assert_allclose(got, wanted, atol=2e-6 * np.abs(wanted).max())


def test_scaling_leaves_the_function_alone_and_refuses_what_overflows() -> None:
    tables = _small_network(24, np.random.default_rng(2))
    factor = scaled(tables)
    ratio = factor.first / tables.first
    assert np.ptp(ratio) == 0
    assert np.log2(ratio[0, 0]) % 1 == 0
    for change in ({"first_bias": tables.first_bias + 1e6}, {"first": tables.first - 1e5}):
        with pytest.raises(InputError, match=r"float16.*ieee"):
            scaled(tables._replace(**change))


@pytest.mark.parametrize("width", [16, 200, 208, 300, 1000])
def test_a_width_is_cut_into_powers_of_two(width: int) -> None:
    pieces = _pieces(width)
    assert len(pieces) <= 3
    assert all(piece.bit_count() == 1 and piece >= 16 for piece in pieces)
    assert width <= sum(pieces) < 1.15 * width + 16


def test_masks_there_and_back() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (50, 64), dtype=np.int8))
    assert torch.equal(occupations_of(masks_of(rows), 64), rows)


def test_nodes_of_no_use_below_leave_those_above_alone() -> None:
    tables = _small_network(0, np.random.default_rng(5))
    below = tables.second.copy()
    below[20:] = 0.0  # nothing leaves these nodes of the first layer
    masks = torch.arange(0, 4096, 41)
    hidden = np.maximum(occupations_of(masks, 12).numpy() @ tables.first + tables.first_bias, 0)
    nodes = np.maximum(hidden @ below.astype(np.float64) + tables.second_bias, 0)
    wanted = tables.shift + tables.scale * (nodes @ tables.output.astype(np.float64))
    packed = pack_dense(tables._replace(second=below), "ieee", CPU)
    np.testing.assert_allclose(dense_energies_of(packed, Tiling(16, 4, 2), masks).numpy(), wanted, atol=2e-6)
