"""``wanglandau benchmark``."""

from __future__ import annotations

from wanglandau.command_line import Report


def benchmark(
    system: str = "cuau", /, *, oracles: list[str] | None = None, seconds: float = 2.0, composition: int | None = None
) -> Report:
    """Measure Wang-Landau trials per second of the oracles that are installed, ratios in one run.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracles
        Which to measure; default: a pair model and every surrogate shipped for the system.
    seconds
        How long to measure each.
    composition
        Number of second-species atoms; default: the system's own.
    """
    from wanglandau.benchmark import run_benchmark
    from wanglandau.systems import load_system

    result = run_benchmark(load_system(system), seconds, composition, oracles)
    return Report(result.text(), result.to_json())
