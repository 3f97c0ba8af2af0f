"""A peer with other energies."""

from __future__ import annotations

from typing import Any

from fake_peer import Walk


def start(job: dict[str, Any]) -> Walk:
    """Set up one whose energies are off."""
    return Walk(job, 1e-4, 1e-3)
