"""Layout of energy windows: what every request, however odd, has to keep."""

from __future__ import annotations

import numpy as np
import pytest

from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.windows import MIN_SHARED_BINS, WindowLayout, choose_windows, energy_windows


def random_request(seed: int) -> dict:
    random = np.random.default_rng(seed)
    n_bins = int(random.integers(8, 400))
    visited = random.random(n_bins) < random.uniform(0.2, 1.0)
    steps = np.exp(random.normal(0.0, random.uniform(0.0, 3.0), n_bins))
    steps[random.random(n_bins) < 0.2] = np.nan
    minimum = int(random.integers(1, 12))
    possible = int(visited.sum()) - max(MIN_SHARED_BINS, minimum - 1)
    return {
        "n_bins": n_bins,
        "n_windows": int(random.integers(1, max(min(possible, 40), 1) + 1)),
        "overlap": float(random.uniform(0.05, 0.9)),
        "diffusivity": steps if random.random() < 0.7 else None,
        "visited": visited,
        "minimum_bins": minimum,
    }


def faults(layout: WindowLayout, request: dict) -> list[str]:
    """Name the promises that a layout breaks."""
    visited = request["visited"]
    first, last = np.array(layout.first), np.array(layout.last)
    held = [int(visited[a : z + 1].sum()) for a, z in zip(first, last, strict=True)]
    shared = [int(visited[a : z + 1].sum()) for a, z in map(layout.shared, range(layout.n_windows - 1))]
    promises = {
        "count": layout.n_windows == request["n_windows"],
        "cover": first[0] == 0 and last[-1] == request["n_bins"] - 1 and layout.mask.any(axis=0).all(),
        "order": (np.diff(first) > 0).all() and (np.diff(last) > 0).all(),
        "size": layout.n_windows == 1 or min(held) >= request["minimum_bins"],
        "shared": min(shared, default=MIN_SHARED_BINS) >= MIN_SHARED_BINS,
        "inner ends": visited[first[1:]].all() and visited[last[:-1]].all(),
    }
    return [name for name, kept in promises.items() if not kept]


def test_every_request_keeps_the_promises() -> None:
    for seed in range(1500):
        request = random_request(seed)
        assert faults(choose_windows(**request), request) == [], f"seed {seed}"


def test_the_promises_can_be_broken() -> None:
    request = {"n_bins": 20, "n_windows": 2, "visited": np.arange(20) % 2 == 0, "minimum_bins": 5}
    assert faults(WindowLayout((0, 8), (12, 19)), request) == []
    assert faults(WindowLayout((0, 10), (12, 19)), request) == ["shared"]
    assert faults(WindowLayout((0, 7), (12, 19)), request) == ["inner ends"]
    assert faults(WindowLayout((0, 2, 14), (6, 18, 19)), request) == ["count", "size"]


def test_uniform_windows_share_the_requested_part() -> None:
    for overlap in (0.25, 0.5, 0.75):
        layout = choose_windows(1000, 6, overlap)
        sizes = np.array(layout.last) - layout.first + 1
        assert np.ptp(sizes) <= 2
        shared = [z - a + 1 for a, z in map(layout.shared, range(5))]
        assert np.array(shared) / sizes[0] == pytest.approx(np.full(5, overlap), abs=0.01)


def test_the_layout_is_symmetric() -> None:
    layout = choose_windows(401, 7, 0.6)
    assert layout.last == tuple(400 - b for b in reversed(layout.first))


def test_large_overlap_reaches_the_next_but_one() -> None:
    layout = choose_windows(300, 6, 0.75)
    assert all(layout.last[k] > layout.first[k + 2] for k in range(4))
    assert layout.mask.sum(axis=0).max() >= 3


def test_windows_have_equal_diffusion_length() -> None:
    steps = np.geomspace(1e-3, 1.0, 800)
    layout = choose_windows(800, 5, 0.4, steps)
    length = np.array([np.sum(steps[a : z + 1] ** -0.5) for a, z in zip(layout.first, layout.last, strict=True)])
    assert np.ptp(length) / length.mean() < 0.02
    widths = np.array(layout.last) - layout.first
    assert widths[-1] > 4 * widths[0]
    uniform = choose_windows(800, 5, 0.4)
    length = np.array([np.sum(steps[a : z + 1] ** -0.5) for a, z in zip(uniform.first, uniform.last, strict=True)])
    assert np.ptp(length) / length.mean() > 1.0


def test_balanced_windows_take_equal_times_to_cross() -> None:
    steps = np.geomspace(0.01, 1.0, 120)
    crossing = {}
    for name, given in (("balanced", steps), ("uniform", None)):
        layout = choose_windows(120, 4, 0.3, given)
        crossing[name] = [mean_crossing(steps[a : z + 1]) for a, z in zip(layout.first, layout.last, strict=True)]
    assert max(crossing["balanced"]) < 1.7 * min(crossing["balanced"])
    assert max(crossing["uniform"]) > 8.0 * min(crossing["uniform"])
    assert max(crossing["balanced"]) < max(crossing["uniform"])


def mean_crossing(steps: np.ndarray) -> float:
    """Mean first passage there and back of a walk between neighbouring bins with mean square step ``steps``."""
    rates = (steps[:-1] + steps[1:]) / 4.0
    return float(len(steps) * np.sum(1.0 / rates))


def test_unknown_diffusivity_is_interpolated() -> None:
    steps = np.geomspace(1e-2, 1.0, 200)
    gappy = steps.copy()
    gappy[::3], gappy[1::7], gappy[50:70] = np.nan, 0.0, np.nan
    known, guessed = choose_windows(200, 4, 0.5, steps), choose_windows(200, 4, 0.5, gappy)
    assert np.abs(np.subtract(known.first, guessed.first)).max() <= 2
    assert choose_windows(200, 4, 0.5, np.full(200, np.nan)) == choose_windows(200, 4, 0.5)


def test_empty_bins_widen_the_overlap() -> None:
    visited = np.ones(100, dtype=bool)
    visited[40:60] = False
    layout = choose_windows(100, 2, 0.1, visited=visited)
    a, z = layout.shared(0)
    assert visited[a : z + 1].sum() >= 3 and z - a + 1 >= 23


@pytest.mark.parametrize("n_windows", [2, 10, 15])
def test_as_many_windows_as_possible(n_windows: int) -> None:
    request = {"n_bins": 40, "n_windows": n_windows, "visited": np.arange(40) % 2 == 0, "minimum_bins": 5}
    assert faults(choose_windows(40, n_windows, 0.05, visited=request["visited"]), request) == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"n_bins": 20, "n_windows": 17}, "at most 16 can be laid; ask for fewer"),
        ({"n_bins": 20, "n_windows": 2, "visited": np.arange(20) < 4}, "at most 1 can"),
        ({"n_bins": 100, "n_windows": 4, "overlap": 0.95}, "overlap 0.95"),
        ({"n_bins": 100, "n_windows": 4, "overlap": 0.0}, "overlap 0.0"),
        ({"n_bins": 100, "n_windows": 0}, "at least 1"),
        ({"n_bins": 100, "n_windows": 3, "visited": np.ones(99, dtype=bool)}, "visited bins"),
        ({"n_bins": 100, "n_windows": 3, "diffusivity": np.ones(99)}, "diffusivity"),
    ],
)
def test_impossible_requests_are_refused(request_: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_windows(**request_)


@pytest.mark.parametrize(
    ("first", "last"),
    [((1, 5), (8, 9)), ((0, 5), (4, 9)), ((0, 0), (5, 9)), ((0, 3), (9, 9)), ((0,), (3, 9)), ((), ())],
)
def test_layouts_that_leave_gaps_are_refused(first: tuple, last: tuple) -> None:
    with pytest.raises(InputError):
        WindowLayout(first, last)


def test_an_energy_lies_in_a_window_exactly_if_its_bin_does() -> None:
    random = np.random.default_rng(7)
    differs = 0
    for _ in range(60):
        grid = EnergyGrid(float(random.normal(0, 3)), float(10 ** random.uniform(-5, 0)), int(random.integers(20, 300)))
        layout = choose_windows(grid.n_bins, int(random.integers(2, 7)), float(random.uniform(0.1, 0.8)))
        windows = energy_windows(layout, grid)
        edges = np.concatenate([grid.edges, grid.centres, np.array(windows).ravel()[1:-1]])
        near = [edges]
        for _ in range(4):
            near = [np.nextafter(near[0], -np.inf), *near, np.nextafter(near[-1], np.inf)]
        energies = np.concatenate(near)
        bins = grid.index(energies)
        for k, window in enumerate(windows):
            holds = (energies >= window.low) & (energies <= window.high)
            inside = (bins >= layout.first[k]) if k else np.full(len(bins), True)
            inside &= (bins <= layout.last[k]) if k < len(windows) - 1 else True
            assert (holds == inside).all()
            naive = (energies >= grid.edges[layout.first[k]]) & (energies < grid.edges[layout.last[k] + 1])
            differs += int((naive != inside).sum()) if 0 < k < len(windows) - 1 else 0
        assert windows[0].low == -np.inf and windows[-1].high == np.inf
    assert differs > 0  # the edges start + b * width would not do


def test_windows_of_another_grid_are_refused() -> None:
    with pytest.raises(InputError, match="lay them out anew"):
        energy_windows(choose_windows(50, 3), EnergyGrid(0.0, 1.0, 51))
