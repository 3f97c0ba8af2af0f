"""On what a time was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

from wanglandau.benchmarking.machine import cpu_name, installed_versions
from wanglandau.errors import InputError
from wanglandau.extras import optional_packages
from wanglandau.provenance import versions

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that limit the threads of XGBoost, torch and NumPy; they are read when a process starts."""
_MODEL_PACKAGES = ("torch", "xgboost", "xgboost-cpu")


@dataclass(frozen=True)
class Machine:
    """A computer and its programs.

    Attributes
    ----------
    cpu : str
        Name of the processor.
    cores : int
        Of the machine.
    threads : int
        Cores that this process may use; compiled surrogates and XGBoost start at most so many threads.
    thread_limits : dict
        Those of ``THREAD_LIMITS`` that are set.
    gpu : str or None
        Name of the accelerator, None where torch sees none.
    load_average : float or None
        Processes that ran or waited in the minute before; None where the system does not tell.
    system : str
        Operating system.
    versions : dict
        Of Python and packages.
    """

    cpu: str
    cores: int
    threads: int
    thread_limits: dict[str, str]
    gpu: str | None
    load_average: float | None
    system: str
    versions: dict[str, str]


def describe_machine() -> Machine:
    """Find out where we run."""
    cores = os.cpu_count() or 1
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    limits = {name: os.environ[name] for name in THREAD_LIMITS if name in os.environ}
    system, known = f"{platform.system()} {platform.machine()}", versions() | installed_versions(_MODEL_PACKAGES)
    return Machine(cpu_name(), cores, threads, limits, gpu_name(), load, system, known)


def gpu_name() -> str | None:
    """Return the name of the accelerator that torch would use, None where there is no torch or it sees none."""
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def require_gpu() -> None:
    """Insist on an accelerator.

    Raises
    ------
    InputError
        If torch is not installed or sees none.
    """
    with optional_packages():
        import torch  # noqa: F401 (to name the remedy where it is missing)
    if gpu_name() is None:
        raise InputError("torch sees no GPU on this machine; leave --device cuda out")
