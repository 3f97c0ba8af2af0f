"""A peer that walks when it is told to: ``python serve.py MODULE FOLDER``, run by the peer's interpreter.

``MODULE`` is a file in ``FOLDER``. Its ``start(job)`` sets the peer up and returns an object with ``advance(n)``,
which makes n trials, ``energy(occupations)``, in the unit of the job, and the dict ``versions``. One JSON object a
line: the job comes in, ``{"ready": versions, "energies": [...]}`` or ``{"missing": package}`` goes out; then whole
numbers come in, and the seconds that so many trials took go out, until the input ends. Start-up, imports and
compilation fall outside the clock.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time


def main(module: str, folder: str) -> int:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the peer prints must not mix with the answers

    def answer(values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    sys.path.append(folder)
    job = json.loads(sys.stdin.readline())
    try:
        walk = importlib.import_module(module).start(job)
    except ModuleNotFoundError as error:
        answer({"missing": error.name})
        return 0
    answer({"ready": walk.versions, "energies": [float(walk.energy(row)) for row in job["checks"]]})
    for line in sys.stdin:
        begin = time.perf_counter()
        walk.advance(int(line))
        answer(time.perf_counter() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
