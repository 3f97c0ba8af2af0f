"""What the console program does for ``surrogate time``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wanglandau.command_line import Report
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.timed_models import TimedModel
    from surrogate.timing import ModelTimes
    from wanglandau.systems import System

MAX_BATCH = 1_000_000
MAX_REPEATS = 1_000_000


@ends_in_order("nothing was written; the same command begins anew")
def time_models(
    system: str = "cuau",
    /,
    *,
    device: Literal["cpu", "cuda"] | None = None,
    batches: tuple[int, ...] = (1, 32, 1024),
    repeats: int = 100,
    starts: int = 3,
    models: list[Path] | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Measure the wall time of one configuration with every surrogate and compare it with that of LSMS.

    Timed are a dense network of one task, the shipped surrogates and XGBoost, from the start of a process to energies
    in batches; the time of LSMS is the one recorded in the shipped data.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    device : str
        cpu or cuda; the processor, and the GPU where torch sees one, unless said otherwise.
    batches : tuple of int
        Numbers of configurations asked for together; single ones are timed in any case.
    repeats : int
        How many batches of each size.
    starts : int
        How many pairs of fresh processes for each model, the first of which compiles; 0 leaves them out.
    models : list of Path
        Files written by surrogate train, timed beside the shipped surrogates; unless given, a network of one task and
        default XGBoost are trained for the purpose.
    csv : Path
        Write all times to this file.
    figure : Path
        Draw them into this file (PNG, PDF or SVG).
    """
    from surrogate.machine import describe_machine
    from surrogate.timed_models import shipped_data
    from surrogate.timing import recorded_times
    from surrogate.timing_figure import timing_figure
    from surrogate.timing_report import Timing, timing_csv, timing_text, timing_values
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.systems import load_system

    _check_numbers(batches, repeats, starts)
    devices = _devices(device)
    chosen = load_system(system)
    check_writable(csv)
    check_figure(figure)
    machine, data = describe_machine(), shipped_data(chosen)
    measured = _measure(chosen, system, devices, models, (batches, repeats, starts))
    recorded = None if data is None else recorded_times(data)
    timing = Timing(chosen.name, chosen.lattice.n_sites, recorded, measured, machine)
    if csv is not None:
        csv.write_text(timing_csv(timing), encoding="utf-8")
    if figure is not None:
        timing_figure(figure, timing, f"Medians and quartiles; {machine.cpu}; GPU: {machine.gpu or 'none'}.")
    written = [f"wrote {path}" for path in (csv, figure) if path is not None]
    return Report("\n".join([timing_text(timing), *written]), timing_values(timing))


def _check_numbers(batches: tuple[int, ...], repeats: int, starts: int) -> None:
    for size in batches:
        if not 1 <= size <= MAX_BATCH:
            raise InputError(f"batches has {size}; a batch holds 1 to {MAX_BATCH:,} configurations")
    if not 1 <= repeats <= MAX_REPEATS:
        raise InputError(f"repeats is {repeats}; give 1 to {MAX_REPEATS:,}")
    if not 0 <= starts <= MAX_REPEATS:
        raise InputError(f"starts is {starts}; give 0 to {MAX_REPEATS:,}")


def _devices(device: Literal["cpu", "cuda"] | None) -> tuple[str, ...]:
    from surrogate.machine import gpu_name, require_gpu

    if device == "cuda":
        require_gpu()
    if device is not None:
        return (device,)
    return ("cpu", "cuda") if gpu_name() else ("cpu",)


def _measure(
    system: System,
    argument: str,
    devices: tuple[str, ...],
    files: list[Path] | None,
    effort: tuple[tuple[int, ...], int, int],
) -> tuple[ModelTimes, ...]:
    from tqdm import tqdm

    from surrogate.timed_models import timed_models
    from surrogate.timing import n_steps, time_model

    sizes, repeats, starts = effort
    with timed_models(system, files) as found:
        placed: list[TimedModel] = [there for name in devices for model in found if (there := model.on(name))]
        if not placed:
            raise InputError(f"none of the models can be evaluated on {' or '.join(devices)}")
        total = sum(n_steps(model, sizes, starts) for model in placed)
        with tqdm(total=total, desc="timing", unit="part", disable=None) as bar:
            return tuple(time_model(model, system, argument, sizes, repeats, starts, bar.update) for model in placed)
