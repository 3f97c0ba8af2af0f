"""The console program ``surrogate``."""

from __future__ import annotations

import sys

from surrogate.data_commands import import_structures, import_text, label
from surrogate.evaluate_command import evaluate
from surrogate.learning_curve_command import learning_curve
from surrogate.study_command import study
from surrogate.time_command import time_models
from surrogate.train_command import train
from wanglandau.command_line import Command, run_program


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    description = "Train multitask surrogates of first-principles energies and say how good and how fast they are."
    commands: dict[str, Command] = {
        "train": train,
        "evaluate": evaluate,
        "study": study,
        "learning-curve": learning_curve,
        "time": time_models,
        "label": label,
        "import-text": import_text,
        "import-structures": import_structures,
    }
    return run_program("surrogate", description, commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
