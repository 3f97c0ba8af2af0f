"""How many rounds the walkers of a crowd make on common weights; see :mod:`wanglandau.crowd`."""

from __future__ import annotations

MAX_GROUPS = 16
TRIALS_PER_TURN = 4000
"""Trials of a group in one turn: enough to outweigh the cost of a turn."""
ROUNDS_PER_TURN = 50
"""No more than this, lest the weights grow stale."""
ROUNDS_ON_FIXED_WEIGHTS = 200
"""Of a turn on an accelerator while ln f is zero: weights cannot grow stale then, and a launch costs some trials."""


def rounds_together(n_walkers: int) -> int:
    """Return how many rounds are made on common weights."""
    group = -(-n_walkers // MAX_GROUPS)
    return max(1, min(ROUNDS_PER_TURN, TRIALS_PER_TURN // group))
