"""What a fresh process does to be timed: load an oracle, ask for one energy, say when and how long.

Started as ``python -m surrogate.timing_probe SYSTEM ORACLE`` by :mod:`surrogate.timing`; the last line of its standard
output is a JSON object: ``ready``, seconds since the epoch at which the oracle was usable, and ``first_call``, seconds.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import load_system


def main(system: str, specification: str) -> None:
    """Load, call once and print."""
    oracle = load_oracle(specification, load_system(system))
    ready = time.time()
    half = np.zeros((1, oracle.lattice.n_sites), dtype=np.int8)
    half[:, ::2] = 1
    start = time.perf_counter()
    oracle.energies(half)
    print(json.dumps({"ready": ready, "first_call": time.perf_counter() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
