"""Packages that are installed only on demand, and what to tell someone who lacks one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wanglandau.errors import InputError

EXTRA_OF_PACKAGE: Mapping[str, str] = {
    "torch": "surrogate",
    "xgboost": "surrogate",
    "matplotlib": "figures",
    "mpi4py": "mpi",
    "parsl": "hpc",
    "shtab": "completion",
}
"""The extra of this distribution that installs each optional package."""


@contextmanager
def optional_packages() -> Iterator[None]:
    """Turn a failed import of an optional package inside the ``with`` block into an error that names the remedy.

    Any other failed import is a defect and passes unchanged.

    Raises
    ------
    InputError
        If an optional package is not installed.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF_PACKAGE:
            raise
        remedy = f"pip install 'alloy-wanglandau[{EXTRA_OF_PACKAGE[package]}]'"
        raise InputError(f"this needs {package}, which is not installed; run: {remedy}") from error
