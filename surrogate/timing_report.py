"""Times laid out for people, for programs and as CSV, the ratio to the first-principles code first."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from surrogate.machine import Machine
from surrogate.timed_models import EPOCHS
from surrogate.timing import BatchTime, FirstPrinciplesTimes, ModelTimes, Ratio
from wanglandau.benchmarking.spread import Spread


@dataclass(frozen=True)
class QuotedTimes:
    """Figures of "Fast, accurate predictions of total energy of solid solution alloys", Tables 1 and 2; not measured.

    Attributes
    ----------
    first_principles : float
        One configuration with LSMS, s.
    networks : tuple of two float
        One configuration with its networks, least and most, s.
    """

    first_principles: float
    networks: tuple[float, float]


QUOTED = {"cuau": QuotedTimes(480.1, (0.8, 0.9)), "fept": QuotedTimes(530.2, (0.9, 1.1))}
"""By system."""

COLUMNS = ("model", "device", "origin", "quantity", "batch", "ratio_to_lsms", "median_s", "lower_s", "upper_s", "n")
"""Of the CSV file; one row for each time."""

LINE = 120
"""Letters of a line of prose."""
BUSY = 0.5
"""Share of the cores at work, at the start, from which a machine counts as busy."""

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Timing:
    """Everything that ``surrogate time`` found out.

    Attributes
    ----------
    system : str
    n_sites : int
    recorded : FirstPrinciplesTimes or None
        LSMS, as recorded in the shipped data; None where there are none for this cell.
    models : tuple of ModelTimes
    machine : Machine
    """

    system: str
    n_sites: int
    recorded: FirstPrinciplesTimes | None
    models: tuple[ModelTimes, ...]
    machine: Machine

    @property
    def quoted(self) -> QuotedTimes | None:
        """Figures of the paper, None where it has none for this cell."""
        return QUOTED.get(self.system) if self.recorded else None

    def ratio(self, seconds: Spread) -> Ratio | None:
        """Say how many times LSMS takes as long; None where no time of LSMS is known."""
        return Ratio.of(self.recorded.seconds, seconds) if self.recorded else None


def timing_values(timing: Timing) -> dict[str, Any]:
    """Return everything, ready for JSON; times in seconds."""
    return {
        "system": timing.system,
        "n_sites": timing.n_sites,
        "lsms_recorded": timing.recorded,
        "quoted_from_paper": timing.quoted,
        "models": [_model_values(timing, times) for times in timing.models],
        "machine": timing.machine,
        "notes": notes(timing),
    }


def _model_values(timing: Timing, times: ModelTimes) -> dict[str, Any]:
    def batches(found: tuple[BatchTime, ...]) -> list[dict[str, Any]]:
        return [{"batch": b.size, "ratio_to_lsms": timing.ratio(b.seconds), "seconds": b.seconds} for b in found]

    return asdict(times.model) | {
        "fresh_process": times.fresh,
        "load": times.load,
        "energies": batches(times.energies),
        "properties": batches(times.properties),
    }


def timing_csv(timing: Timing) -> str:
    """Return all times as CSV, ``COLUMNS`` in the first line; empty where there is no such value."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(timing))
    return written.getvalue()


def _rows(timing: Timing) -> Iterator[dict[str, Any]]:
    if timing.recorded:
        yield {"model": "LSMS", "device": "cpu", "origin": "recorded", "quantity": "energy", "batch": 1} | _fields(
            timing, timing.recorded.seconds
        )
    if timing.quoted:
        yield {"model": "LSMS", "origin": "quoted", "quantity": "energy", "median_s": timing.quoted.first_principles}
        low, high = timing.quoted.networks
        yield {"model": "networks", "origin": "quoted", "quantity": "energy", "lower_s": low, "upper_s": high}
    for times in timing.models:
        first = {"model": times.model.name, "device": times.model.device, "origin": "measured"}
        for quantity, seconds in _start_times(times).items():
            yield first | {"quantity": quantity} | _fields(None, seconds)
        for quantity, batches in (("energy", times.energies), ("properties", times.properties)):
            for batch in batches:
                yield first | {"quantity": quantity, "batch": batch.size} | _fields(timing, batch.seconds)


def _fields(timing: Timing | None, seconds: Spread) -> dict[str, Any]:
    ratio = timing.ratio(seconds) if timing else None
    numbers = {"median_s": seconds.median, "lower_s": seconds.lower, "upper_s": seconds.upper}
    chosen = numbers | ({"ratio_to_lsms": ratio.value} if ratio else {})
    return {name: f"{value:.6g}" for name, value in chosen.items()} | {"n": seconds.n}


def _start_times(times: ModelTimes) -> dict[str, Spread]:
    if times.fresh is None:
        return {"load": times.load}
    return {
        "load": times.load,
        "fresh process: load": times.fresh.load,
        "fresh process: first call, compiling": times.fresh.first_call_compiling,
        "fresh process: first call": times.fresh.first_call,
    }


def timing_text(timing: Timing) -> str:
    """Lay out two tables, energies and starts, and what to know of them."""
    width = max([24, *(len(times.model.name) for times in timing.models)])
    return "\n".join(
        [
            f"{timing.system}, {timing.n_sites} sites: wall time; median (lower to upper quartile)",
            "",
            f"{'x LSMS':>12}  {'model':{width}}  {'device':6}  {'batch':>7}  time of one configuration",
            *_energy_lines(timing, width),
            "",
            f"before the first energy: {'; '.join(_START_COLUMNS)}",
            *_start_lines(timing, width),
            "",
            *(textwrap.fill(line, LINE) for line in (*notes(timing), *_machine_lines(timing.machine))),
        ]
    )


_START_COLUMNS = (
    "load in a fresh process",
    "load alone",
    "first call, compiling",
    "first call, compiled before",
)


def _energy_lines(timing: Timing, width: int) -> Iterator[str]:
    def line(ratio: str, name: str, device: str, batch: str, told: str) -> str:
        return f"{ratio:>12}  {name:{width}}  {device:6}  {batch:>7}  {told}"

    if timing.recorded:
        recorded = timing.recorded
        iterations = f"{recorded.iterations.median:.0f} ({recorded.iterations.lower:.0f} to "
        iterations += f"{recorded.iterations.upper:.0f}) iterations of {spread_text(recorded.seconds_per_iteration)}"
        told = f"{spread_text(recorded.seconds)}, {recorded.seconds.n} runs, {iterations}"
        yield line("1", "LSMS, recorded", "cpu", "1", told)
    if timing.quoted:
        low, high = timing.quoted.networks
        yield line("", "LSMS, quoted", "", "1", f"{timing.quoted.first_principles:g} s")
        yield line("", "networks, quoted", "", "1", f"{low:g} to {high:g} s")
    for times in timing.models:
        for quantity, batches in (("", times.energies), ("  all it has learnt", times.properties)):
            for batch in batches:
                first = batch is batches[0]
                name = (quantity or times.model.name) if first else ""
                device = times.model.device if first else ""
                yield line(_ratio_text(timing, batch), name, device, f"{batch.size:,}", spread_text(batch.seconds))


def _start_lines(timing: Timing, width: int) -> Iterator[str]:
    for times in timing.models:
        fresh = times.fresh
        if fresh is None:
            told = ["-", spread_text(times.load), "-", "-"]
        else:
            all_times = (fresh.load, times.load, fresh.first_call_compiling, fresh.first_call)
            told = [spread_text(seconds) for seconds in all_times]
        yield (
            f"{times.model.name:{width}}  {times.model.device:6}  " + "  ".join(f"{text:26}" for text in told).rstrip()
        )


def _ratio_text(timing: Timing, batch: BatchTime) -> str:
    ratio = timing.ratio(batch.seconds)
    return f"{float(f'{ratio.value:.3g}'):,.0f}" if ratio else "-"


def notes(timing: Timing) -> list[str]:
    """Say what the times mean and what they do not."""
    lines = [
        "Energies are of random configurations, other ones in every batch; files are read from the system's cache."
    ]
    if timing.recorded:
        lines.append(
            "LSMS, recorded: one core, when the shipped data were made, with their modest settings (small interaction "
            "zone) and perhaps on another machine than this one, so the ratios are good to an order of magnitude."
        )
    if timing.quoted:
        lines.append(
            "Quoted, not measured: Tables 1 and 2 of the paper, LSMS on 8 cores of Titan with a GPU. A second is far "
            "more than the arithmetic of such a network and most likely its loading: compare it with the load in a "
            "fresh process, not with a call."
        )
    names = {times.model.name for times in timing.models}
    if "dense, energy" in names:
        lines.append(
            f"The network 'dense, energy' was trained for {EPOCHS} epochs for this measurement: its speed does not "
            "depend on its weights. The trees were trained in full: theirs depends on their shape."
        )
    if any(times.model.device == "cuda" for times in timing.models):
        from surrogate.torch_oracle import BLOCK  # torch only where it was used

        lines.append(
            f"On the GPU surrogates are evaluated in blocks of {BLOCK:,}, so that no energy depends on its batch: one "
            "configuration takes as long as a block. Copies to and from the GPU are included."
        )
    busy = timing.machine.load_average
    if busy is not None and busy > BUSY * timing.machine.threads:
        lines.append(f"The machine was busy: load average {busy:.1f} on {timing.machine.threads} cores.")
    if not timing.machine.thread_limits:
        lines.append(
            "Threads were not limited. XGBoost and NumPy (what a dense network has learnt beside the energy) wait for "
            "all of theirs, long where cores are busy; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 in front of the "
            "command times one core."
        )
    return lines


def _machine_lines(machine: Machine) -> Iterator[str]:
    load = "" if machine.load_average is None else f", load average {machine.load_average:.1f} at the start"
    limits = "".join(f", {name}={value}" for name, value in machine.thread_limits.items())
    cores = f"{machine.cores} cores, {machine.threads} of them usable{limits}{load}"
    yield f"Machine: {machine.cpu}, {cores}; GPU {machine.gpu or 'none'}; {machine.system}"
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in machine.versions.items())


def spread_text(seconds: Spread) -> str:
    """Write a time with its quartiles in the unit that suits the median.

    >>> spread_text(Spread(2.5e-5, 2.41e-5, 0.0012, 9))
    '25 µs (24.1 to 1,200)'
    """
    scale, unit = next((pair for pair in _UNITS if seconds.median >= pair[0]), _UNITS[-1])
    median, lower, upper = (_digits(value / scale) for value in (seconds.median, seconds.lower, seconds.upper))
    return f"{median} {unit} ({lower} to {upper})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
