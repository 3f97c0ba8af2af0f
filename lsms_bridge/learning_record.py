"""The folder of a loop: every generation whole or not there, so that a loop that was killed goes on where it was.

::

    FOLDER/loop.json                what the loop is of; another one refuses the folder
    FOLDER/start.h5                 data it began with
    FOLDER/generation-000/          of each finished generation
        committee.safetensors       models, trained on the data of the generation before (of the start)
        dataset.h5                  all data after it, the new ones last
        16-exact.h5, 16-dos.h5      density of states of each composition by the committee
        summary.json                numbers, see lsms_bridge.generation
    FOLDER/dataset.h5, committee.safetensors, report.md, learning.png     the result so far

A generation is made in a folder whose name begins with a dot, which is renamed at the end.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lsms_bridge.generation import Generation
from surrogate.dataset import Dataset, load_dataset, save_dataset
from surrogate.kept_results import read_json, write_json
from wanglandau.errors import InputError
from wanglandau.run_description import refuse_different

SCHEMA = 1
LOOP, START, DATASET, COMMITTEE, SUMMARY = (
    "loop.json",
    "start.h5",
    "dataset.h5",
    "committee.safetensors",
    "summary.json",
)


class LearningFolder:
    """Where generations are kept.

    Parameters
    ----------
    folder : Path
        Made if it is not there; the folder it lies in must be.

    Raises
    ------
    InputError
        If it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make folder {folder}: {error.strerror}; choose another with --out") from error

    def start(self) -> Dataset | None:
        """Return the data that a loop in this folder began with, None where none has."""
        return load_dataset(self.path / START) if (self.path / START).is_file() else None

    def begin(self, start: Dataset, of: Mapping[str, Any]) -> None:
        """Keep what the loop is of, or make sure that it is the one that was begun here.

        Raises
        ------
        InputError
            If the folder holds another loop.
        """
        wanted = json.loads(json.dumps({"schema": SCHEMA, "start": start.digest, **of}))
        if (self.path / LOOP).is_file():
            refuse_different(self.path, read_json(self.path / LOOP), wanted, "choose another folder")
            return
        save_dataset(start, self.path / START)
        write_json(self.path / LOOP, wanted)

    def generation(self, number: int) -> Path:
        """Return the folder of a generation, whether it is there or not."""
        return self.path / f"generation-{number:03d}"

    def finished(self) -> list[Generation]:
        """Read all finished generations, from the first.

        Raises
        ------
        InputError
            If one is damaged.
        """
        found: list[Generation] = []
        while (file := self.generation(len(found)) / SUMMARY).is_file():
            try:
                found.append(Generation.from_json(read_json(file)))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{file} is damaged ({error}); delete this generation and all later ones") from error
        return found

    def dataset(self, number: int) -> Dataset:
        """Return all data after a generation; -1 stands for the start."""
        return load_dataset(self.path / START if number < 0 else self.generation(number) / DATASET)

    @contextmanager
    def making(self, number: int) -> Iterator[Path]:
        """Give a folder for a generation that counts only if the ``with`` block comes to its end."""
        target = self.generation(number)
        partial = target.with_name(f".{target.name}.partial")
        for leftover in (partial, target):  # neither is finished, or it would not be made
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir()
        yield partial
        descriptor = os.open(partial, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, target)

    def publish(self, number: int) -> None:
        """Copy data and committee of a generation to the top, as the result so far."""
        for name in (DATASET, COMMITTEE):
            source = self.generation(number) / name
            if source.is_file():
                temporary = self.path / f".{name}.tmp"
                shutil.copyfile(source, temporary)
                os.replace(temporary, self.path / name)
