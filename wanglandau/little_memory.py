"""A limit on how much the process may grow, for calls of libraries that believe the sizes a file claims."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = Path("/proc/self/statm")
"""Where Linux says how many pages of addresses the process has."""


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """Let nothing be set aside in the block that makes the process larger by over ``more`` bytes.

    What asks for it meets a failed allocation. Only on Linux; elsewhere the block runs without a limit. Other threads
    meet the same limit meanwhile, so that the block has to be short.
    """
    if not _SIZE.exists():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(_SIZE.read_text().split()[0]) * resource.getpagesize() + more
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
