"""How far does replica exchange scale? Measured on this machine's cores, modelled beyond.

Every process has one walk in an energy window of its own (weak scaling); after each block of trials, neighbouring
windows exchange configurations. The script measures blocks of one process with several numbers of walks, starts itself
with mpiexec for each number of --ranks, and draws the efficiency with the model of
wanglandau.benchmarking.many_nodes, which is fitted to one process and assumes a latency and a bandwidth. Where
processes share cores, efficiency is lost to that: half of it with twice as many processes as cores.

Run: python examples/12_many_nodes.py [--ranks 2 4] [--atoms 4x4x4] [--figure many-nodes.png] [--smoke]
(as root, Open MPI wants OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from wanglandau.benchmarking.many_nodes import BlockTimes, Model, Network, bytes_of_walk, time_blocks
from wanglandau.calculation import plan
from wanglandau.engine import Engine
from wanglandau.levels import MEV_PER_RY
from wanglandau.pair_model import PairOracle
from wanglandau.ranks import OneProcess, Ranks, launched_ranks
from wanglandau.scaling import parse_size
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

TRIALS = 100_000  # of each walk between exchanges
WALKERS = 1
WINDOWS = 2  # of each run; more walks are more runs
MODELLED = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


def measure(atoms: str, walks: int, blocks: int, ranks: Ranks) -> BlockTimes:
    lattice = load_system("cuau", parse_size(atoms)).lattice
    alloy = PairOracle(lattice, [-50.0 / MEV_PER_RY])
    settings = WangLandauSettings(
        runs=max(1, walks // WINDOWS), windows=WINDOWS, walkers=WALKERS, uniform_windows=True, max_trials=1_000_000
    )
    calculation = plan(Engine.fastest(alloy), lattice.n_sites // 2, settings, ranks)
    return time_blocks(calculation, TRIALS // WALKERS, blocks)


def measure_under_mpi(n: int, atoms: str, blocks: int) -> BlockTimes:
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        sys.exit("mpiexec is missing: pip install 'alloy-wanglandau[mpi]'")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "times.npz"
        words = [mpiexec, "--oversubscribe", "-n", str(n), sys.executable, "-m", "mpi4py", __file__]
        words += ["--atoms", atoms, "--blocks", str(blocks), "--part", str(file)]
        subprocess.run(words, check=True)
        with np.load(file) as found:
            return BlockTimes(found["walks"], found["exchanges"], found["blocks"])


def draw(path: Path, model: Model, measured: list[BlockTimes]) -> None:
    from wanglandau.figure_style import EXACT, MARK, SAMPLED, new_figure, save_figure

    note = (
        f"One walk a process, {TRIALS:,} trials between exchanges. Model: {1e3 * model.walk:.3g} ms a block, "
        f"deviation {100 * model.deviation:.2g} %; exchange {1e3 * model.fixed:.2g} + {1e3 * model.each:.2g} ms a "
        f"walk (measured); latency {1e6 * model.network.latency:g} us, {model.network.bandwidth / 1e9:g} GB/s "
        f"(assumed). {len(os.sched_getaffinity(0))} cores; more processes share them."
    )
    with new_figure(5.2, 3.8) as figure:
        axes = figure.subplots()
        axes.plot(MODELLED, [model.efficiency(n, 1) for n in MODELLED], color=SAMPLED, label="model")
        perfect = [model.walk / model.slowest(n, 1) for n in MODELLED]
        axes.plot(MODELLED, perfect, color=EXACT, linewidth=0.7, linestyle="--", label="model, exchanges for free")
        numbers = [times.n_processes for times in measured]
        axes.plot(numbers, [times.efficiency(model.walk) for times in measured], "o", color=MARK, label="measured")
        axes.set(xscale="log", xlabel="processes", ylabel="efficiency", ylim=(0, 1.05))
        axes.legend()
        save_figure(figure, path, note)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, nargs="*", default=[2, 4])
    parser.add_argument("--atoms", default="4x4x4")
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if any(n < 2 or n % 2 for n in options.ranks):
        parser.error(f"--ranks {options.ranks}: give even numbers from 2 on, two windows to a run")
    if options.part is not None:  # one of several processes
        ranks = launched_ranks()
        times = measure(options.atoms, ranks.size, options.blocks, ranks)
        if ranks.rank == 0:
            np.savez(options.part, walks=times.walks, exchanges=times.exchanges, blocks=times.blocks)
        return
    atoms, blocks = ("2x2x2", 4) if options.smoke else (options.atoms, options.blocks)
    alone = [measure(atoms, walks, blocks, OneProcess()) for walks in (2, 8, 32)]
    n_sites = load_system("cuau", parse_size(atoms)).lattice.n_sites
    model = Model.fitted(alone, bytes_of_walk(WALKERS, n_sites), Network())
    print(f"{n_sites} atoms, {TRIALS} trials: {1e3 * model.walk:.3g} ms, deviation {100 * model.deviation:.2g} %")
    print(f"exchange: {1e3 * model.fixed:.3g} ms + {1e3 * model.each:.3g} ms a walk; {model.walk_bytes} bytes a walk")
    measured = [] if options.smoke else [measure_under_mpi(n, atoms, blocks) for n in options.ranks]
    for times in measured:
        print(
            f"{times.n_processes:5d} processes: measured {times.efficiency(model.walk):.2f}, exchange "
            f"{1e3 * np.median(times.exchanges):.3g} ms; model {model.efficiency(times.n_processes, 1):.2f}"
        )
    for n in MODELLED:
        print(f"{n:5d} processes: model {model.efficiency(n, 1):.2f}, exchange {1e3 * model.exchange(n, 1):.3g} ms")
    if options.figure is not None:
        draw(options.figure, model, measured)


if __name__ == "__main__":
    main()
