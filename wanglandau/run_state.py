"""The state of a calculation as bytes and back, bit for bit, whatever the number of processes.

Every process packs its walks with what was measured on them; the shares of all, one after the other, are the walks of
the calculation in their order. What all processes know alike is packed once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from wanglandau.bin_averages import BinAverages
from wanglandau.calculation import Calculation
from wanglandau.end_bins import EndBin
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.extensions import NONE, Extensions
from wanglandau.ground_state import LowestStates
from wanglandau.joint_histogram import JointHistogram
from wanglandau.measurement import Measurement
from wanglandau.range_search import EnergyRange
from wanglandau.ranks import Ranks, share_of
from wanglandau.replica_exchange import Exchange, Layout
from wanglandau.rounds import Snapshots
from wanglandau.run_checkpoint import PackedState
from wanglandau.sad import StochasticApproximation
from wanglandau.schedule import Halving, OneOverT, Stage
from wanglandau.settings import WangLandauSettings
from wanglandau.state_tree import pack, unpack
from wanglandau.walk import Walk
from wanglandau.walkers import Walkers, Weights, Window
from wanglandau.windows import WindowLayout

_CLASSES = (
    BinAverages,
    EndBin,
    EnergyGrid,
    EnergyRange,
    Exchange,
    Halving,
    JointHistogram,
    Layout,
    LowestStates,
    OneOverT,
    Snapshots,
    Stage,
    StochasticApproximation,
    Walk,
    Walkers,
    Weights,
    Window,
    WindowLayout,
)
_COMMON = ("composition", "grid", "coverage", "layout", "windows", "exchange", "rounds", "reviewed", "next_look")
_MEASURED = ("averages", "histograms", "lowest", "ends")


def pack_common(calculation: Calculation) -> bytes:
    """Pack what all processes know alike; of the energies met in the search nothing is needed any more."""
    state = {name: getattr(calculation, name) for name in _COMMON}
    return pack(state | {"energy_range": replace(calculation.energy_range, sample=None), "error": calculation.error})


def pack_share(calculation: Calculation) -> bytes:
    """Pack the walks of this process and what was measured on them."""
    measured = [
        {name: getattr(calculation.measurement, name).get(number) for name in _MEASURED}
        for number in range(len(calculation.walks))
    ]
    return pack({"walks": calculation.walks, "measured": measured})


def gather_state(calculation: Calculation) -> PackedState:
    """Pack the state of all processes; all of them get it."""
    own = np.frombuffer(pack_share(calculation), dtype=np.uint8)
    sizes = calculation.ranks.gather(np.array([len(own)], dtype=np.int64))
    everything = calculation.ranks.gather(own).tobytes()
    ends = np.cumsum(sizes)
    shares = [everything[start:end] for start, end in zip(ends - sizes, ends, strict=True)]
    return PackedState(pack_common(calculation), shares)


def restore(
    state: PackedState, engine: Engine, settings: WangLandauSettings, ranks: Ranks, own: Extensions = NONE
) -> Calculation:
    """Make a calculation of its state, with the walks of this process.

    Raises
    ------
    InputError
        If the state is none that this version writes, or there are more processes than walks.
    """
    common = unpack(state.common, _CLASSES)
    classes = (*_CLASSES, *own.state_classes(settings))
    shares = [unpack(share, classes) for share in state.shares]
    walks: list[Walk] = [walk for share in shares for walk in share["walks"]]
    measured: list[dict[str, Any]] = [item for share in shares for item in share["measured"]]
    layout: Layout = common["layout"]
    if ranks.size > layout.size:
        raise InputError(f"{ranks.size} processes for {layout.size} walks; start at most {layout.size}")
    mine = share_of(layout.size, ranks)
    measurement = Measurement.of(engine.oracle, settings, own.observables)
    for place, number in enumerate(mine):
        for name in _MEASURED:
            if measured[number][name] is not None:
                getattr(measurement, name)[place] = measured[number][name]
    named = {name: common[name] for name in (*_COMMON, "energy_range", "error")}
    return Calculation(
        engine=engine,
        settings=settings,
        ranks=ranks,
        walks=[walks[number] for number in mine],
        measurement=measurement,
        **named,
    )
