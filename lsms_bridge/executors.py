"""Where calculations run: threads of this process, or Parsl for clusters."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wanglandau.errors import InputError

CONFIG_NAME = "config"
"""Name of the Parsl configuration in a user's file."""


@contextmanager
def open_executor(specification: str) -> Iterator[Executor | None]:
    """Open the executor that a user named.

    Parameters
    ----------
    specification : str
        ``threads`` gives None (a campaign makes its own), ``parsl:FILE.py`` one of Parsl. The file is run: it is the
        user's own program, as every Parsl configuration is.

    Raises
    ------
    InputError
        If there is no such executor, or the file does not define a configuration.
    """
    kind, _, argument = specification.partition(":")
    if kind == "threads" and not argument:
        yield None
        return
    if kind != "parsl" or not argument:
        raise InputError(f"executor is {specification!r}; choose threads or parsl:FILE.py")
    from parsl.concurrent import ParslPoolExecutor

    with ParslPoolExecutor(_parsl_config(Path(argument))) as executor:
        yield executor


def _parsl_config(path: Path) -> Any:
    from parsl.config import Config

    if not path.is_file():
        raise InputError(f"there is no Parsl configuration {path}; write --executor parsl:FILE.py")
    try:
        config = runpy.run_path(str(path)).get(CONFIG_NAME)
    except Exception as error:  # whatever the user's program raises
        raise InputError(f"{path} fails ({type(error).__name__}: {error}); mend it") from error
    if not isinstance(config, Config):
        raise InputError(f"{path} does not define {CONFIG_NAME} = parsl.Config(...); add it")
    return config
