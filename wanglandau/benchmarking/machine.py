"""On what rates were measured, and with what."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wanglandau.provenance import versions

MODEL_PACKAGES = ("torch", "xgboost-cpu", "xgboost", "llvmlite")
VECTOR_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "asimd", "sve", "sve2")
"""Flags of the processor that tell how long its vectors are."""


@dataclass(frozen=True)
class Machine:
    """A computer and its programs.

    Attributes
    ----------
    cpu : str
        Name of the processor.
    cores : int
        That this process may use.
    vectors : tuple of str
        Those of ``VECTOR_FLAGS`` that the processor has.
    load_average : float or None
        Processes that ran or waited in the minute before; None where the system does not tell.
    system : str
        Operating system and architecture.
    versions : dict
        Of Python and packages, those of peers included.
    """

    cpu: str
    cores: int
    vectors: tuple[str, ...]
    load_average: float | None
    system: str
    versions: dict[str, str]

    def text(self) -> str:
        """Write it in one line."""
        load = "unknown" if self.load_average is None else f"{self.load_average:.1f}"
        programs = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores ({' '.join(self.vectors) or 'vectors unknown'}), load average before "
            f"{load}, {self.system}; {programs}"
        )


def describe_machine(peer_versions: dict[str, str]) -> Machine:
    """Find out where we run."""
    listing = _listing()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = set((listing.get("flags") or listing.get("Features") or "").split())
    return Machine(
        cpu=cpu_name(),
        cores=cores,
        vectors=tuple(flag for flag in VECTOR_FLAGS if flag in flags),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.machine()}",
        versions=versions() | installed_versions(MODEL_PACKAGES) | peer_versions,
    )


def _listing() -> dict[str, str]:
    """Read what Linux tells of the first processor."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return {}
    first = file.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def cpu_name() -> str:
    """Return the name of the processor."""
    return _listing().get("model name") or platform.processor() or platform.machine()


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
