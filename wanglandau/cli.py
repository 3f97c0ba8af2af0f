"""The console program ``wanglandau``."""

from __future__ import annotations

import sys

from wanglandau.command_line import Command, run_program
from wanglandau.commands.anneal import anneal
from wanglandau.commands.benchmark import benchmark
from wanglandau.commands.dos import dos
from wanglandau.commands.exact import exact
from wanglandau.commands.metropolis import metropolis
from wanglandau.commands.mixing import mixing
from wanglandau.commands.results import compare, inspect, thermo
from wanglandau.commands.reweight import reweight
from wanglandau.commands.scaling import scaling

DESCRIPTION = "Densities of states and thermodynamics of binary alloys by Wang-Landau sampling and exact enumeration."


def main(arguments: list[str] | None = None) -> int:
    """Run the console command; return its exit code."""
    commands: dict[str, Command] = {
        "dos": dos,
        "metropolis": metropolis,
        "anneal": anneal,
        "exact": exact,
        "thermo": thermo,
        "reweight": reweight,
        "mixing": mixing,
        "scaling": scaling,
        "compare": compare,
        "inspect": inspect,
        "benchmark": benchmark,
    }
    return run_program("wanglandau", DESCRIPTION, commands, arguments, together=["dos"])


if __name__ == "__main__":
    sys.exit(main())
