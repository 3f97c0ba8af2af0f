"""How many rounds the walkers of a crowd make on common weights; see :mod:`wanglandau.crowd`."""

from __future__ import annotations

WALKERS_AT_ONCE = 64
"""Up to so many walkers of a histogram go one after the other and see every update of each other's at once."""
MAX_GROUPS = 16
TRIALS_PER_TURN = 4000
"""Trials of a group in one turn: enough to outweigh the cost of a turn."""
ROUNDS_PER_TURN = 50
"""No more than this, lest the weights grow stale."""
LONGER_ON_FIXED_WEIGHTS = 4
"""How many times as many while ln f is zero."""
ROUNDS_ON_FIXED_WEIGHTS = 200
"""Of a turn on an accelerator while ln f is zero: weights cannot grow stale then, and a launch costs some trials."""


def groups_of(n_walkers: int) -> int:
    """Return into how many groups the walkers of a crowd are divided, each large enough to outweigh its cost."""
    return min(MAX_GROUPS, -(-n_walkers // WALKERS_AT_ONCE))


def rounds_together(n_walkers: int, fixed: bool = False) -> int:
    """Return how many rounds are made on common weights, more on fixed ones."""
    group = -(-n_walkers // groups_of(n_walkers))
    rounds = max(1, min(ROUNDS_PER_TURN, TRIALS_PER_TURN // group))
    return LONGER_ON_FIXED_WEIGHTS * rounds if fixed else rounds
