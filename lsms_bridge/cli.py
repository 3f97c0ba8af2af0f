"""The console command ``lsms-bridge``: first-principles energies, one or many."""

from __future__ import annotations

import sys

from lsms_bridge.campaign_command import campaign, collect, status
from lsms_bridge.import_command import import_results
from lsms_bridge.learn_command import learn
from lsms_bridge.run_commands import deck, run
from wanglandau.command_line import Command, run_program

COMMANDS: dict[str, Command] = {
    "deck": deck,
    "run": run,
    "campaign": campaign,
    "import": import_results,
    "status": status,
    "collect": collect,
    "learn": learn,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return run_program("lsms-bridge", "Run LSMS on configurations and keep what it finds.", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
