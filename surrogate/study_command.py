"""``surrogate study``."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.study_settings import StudySettings
from wanglandau.command_line import Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.ordering import Ordering
    from surrogate.study_models import StudyModel
    from wanglandau.systems import System

QUICK_SPLITS, QUICK_EPOCHS = 3, 10
QUICK_PER_COMPOSITION = 60


@ends_in_order("models and splits that were finished are kept; the same command goes on")
def study(
    system: str,
    /,
    *,
    settings: StudySettings,
    ending: EndingSettings,
    dataset: Path | None = None,
    surrogate: str = "lattice-v1",
    models: str | None = None,
    quick: bool = False,
    folder: Path | None = None,
) -> Report:
    """Run the accuracy study of the paper: many shuffled splits, its networks, the same trained better, baselines.

    Without a data set the study is made on model data: the balanced sample of the paper, 28,058 configurations of a
    32-atom cell, labelled by a shipped surrogate. The folder receives a report in Markdown, a table of all splits and
    figures. A study that was stopped goes on where it was when the command is given again.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    settings : StudySettings
        How the study is made.
    ending : EndingSettings
        When to end early.
    dataset : Path
        Data set in HDF5, or a folder of published text files, instead of model data.
    surrogate : str
        Which one labels model data: lattice-v1, that of the first version of the shipped data, with which the published
        reports were made; lattice, dense or a file written by surrogate train.
    models : str
        Comma-separated part of the models, as their files are called (dense-EC, dense-EC-paper, trees-E, lattice-EC,
        clusters-E, composition-E ...); all unless said otherwise.
    quick : bool
        A small sample, three splits and ten epochs: to see that everything works.
    folder : Path
        Where everything goes; study-SYSTEM unless said otherwise.
    """
    from surrogate.study import Study, run_study
    from surrogate.study_models import tasks_of
    from surrogate.study_predictions import write_results
    from surrogate.study_report import csv_table, figures_of_splits, markdown
    from wanglandau.atomic_file import write_atomically
    from wanglandau.systems import load_system

    chosen = load_system(system)
    if quick:
        settings = dataclasses.replace(
            settings, splits=QUICK_SPLITS, epochs=QUICK_EPOCHS, paper_epochs=QUICK_EPOCHS, ordering_splits=1
        )
    data, source, ordering = _data(chosen, dataset, surrogate, settings, quick, models)
    wanted = _models(tasks_of(data), models)
    target = folder or Path(f"study-{chosen.name}")
    results = run_study(Study(data, chosen.name, settings, target, ordering), wanted)
    caution = str(data.attributes.get("caution", ""))
    write_atomically(target / "splits.csv", csv_table(results).encode())
    write_results(target, figures_of_splits(results))
    figures = _figures(results, target, caution)
    text = markdown(results, chosen.name, settings, source, _command(), figures, ordering)
    write_atomically(target / "report.md", text.encode())
    values = {"folder": target, "report": text, "models": {r.model.slug: r.details for r in results}}
    return Report(f"{text}\nwritten to {target}", values)


def _command() -> str:
    return shlex.join(["surrogate", *sys.argv[1:]])


def _data(
    system: System, dataset: Path | None, surrogate: str, settings: StudySettings, quick: bool, models: str | None
) -> tuple[Dataset, str, Ordering | None]:
    """Return the data, what they are in a sentence, and what can be asked about ordering."""
    if dataset is not None:
        from surrogate.data_source import load_any

        data = load_any(dataset, system)
        return data, f"Data: {len(data)} configurations of {data.attributes.get('code', dataset)}.", None
    from surrogate.model_data import Sample, label
    from surrogate.oracle import find_model, make_oracle
    from surrogate.ordering import Ordering
    from surrogate.settings import TASKS
    from wanglandau.orbits import MAX_ENUMERATED_SITES

    model = find_model(surrogate, system)
    _models(tuple(task for task in TASKS if task in model.card.tasks), models)  # labelling takes a while
    oracle = make_oracle(model, system.lattice)
    sample = Sample(QUICK_PER_COMPOSITION, settings.seed) if quick else Sample(seed=settings.seed)
    data = label(oracle, sample, system.name)
    possible = settings.ordering_splits > 0 and system.lattice.n_sites <= MAX_ENUMERATED_SITES
    ordering = Ordering.of(oracle, system.composition) if possible else None
    return data, f"Model data: {len(data)} configurations, labelled by surrogate:{surrogate}, not by LSMS.", ordering


def _models(tasks: tuple[str, ...], wanted: str | None) -> list[StudyModel]:
    from surrogate.study_models import study_models

    every = {model.slug: model for model in study_models(tasks)}
    if wanted is None:
        return list(every.values())
    unknown = [name for name in wanted.split(",") if name not in every]
    if unknown:
        raise InputError(f"there is no model {unknown[0]!r} for these data; choose among {', '.join(every)}")
    return [every[name] for name in wanted.split(",")]


def _figures(results: Any, folder: Path, note: str) -> list[str]:
    from surrogate.study_figures import study_figures
    from wanglandau.figure_style import can_draw

    return study_figures(results, folder, note) if can_draw() else []
