"""What ``inspect`` says of a folder that ``scaling`` fills."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from wanglandau.errors import InputError
from wanglandau.inspectors import Inspected, write_table
from wanglandau.result_parts import EXACT_KIND, RUN_KIND, kind_of
from wanglandau.run_file import read_result
from wanglandau.scaling import SizedCell, csv_table, describe, scale, sized_cell

_NAME = re.compile(r"(?P<system>.+)-(?P<repeat>\d+x\d+x\d+)-(?P<composition>\d+)\.h5")


def describe_scaling(folder: Path) -> Inspected | None:
    """Describe the cells in a folder and the laws through their peaks; None where there are no such cells.

    Raises
    ------
    InputError
        If one of them is damaged.
    """
    cells, systems = [], set()
    for file in sorted(folder.glob("*.h5")):
        named = _NAME.fullmatch(file.name)
        if named is not None and kind_of(file) in (RUN_KIND, EXACT_KIND):
            across, along, up = (int(number) for number in named["repeat"].split("x"))
            cells.append(sized_cell((across, along, up), int(named["composition"]), file, read_result(file)))
            systems.add(named["system"])
    if not cells:
        return None
    if len(systems) > 1:
        raise InputError(f"folder {folder} has cells of {', '.join(sorted(systems))}; inspect its files one by one")
    found = scale(cells)
    values = {"kind": "scaling", "cells": [cell.row() for cell in found.cells], "laws": found.laws}
    values |= {"chosen": found.chosen, "untrusted": [str(cell.file) for cell in found.untrusted]}
    return Inspected(
        f"cells of several sizes of {min(systems)}\n{describe(found)}",
        values,
        _next_steps(folder, found.untrusted, found.cells, min(systems)),
        None,
        lambda target: write_table(target, csv_table(found)),
        "give --figure to 'wanglandau scaling'",
    )


def _next_steps(folder: Path, untrusted: list[SizedCell], cells: list[SizedCell], system: str) -> tuple[str, ...]:
    if untrusted:
        return tuple(shlex.join(["wanglandau", "inspect", str(cell.file)]) for cell in untrusted)
    largest = "x".join(str(2 * n) for n in cells[-1].repeat)
    sizes = " ".join(["x".join(map(str, cell.repeat)) for cell in cells] + [largest])
    return (
        f"the same command with a larger cell: wanglandau scaling {system} --sizes {sizes} "
        f"--folder {shlex.quote(str(folder))} --figure scaling.png",
    )
