"""With what a result was made."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("alloy-wanglandau", "numpy", "numba", "scipy", "h5py", "ase", "spglib")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
