"""Settings with which the models of a system are trained when nothing else is said.

A recipe is a flat TOML file ``artefacts/SYSTEM-ARCHITECTURE.toml`` beside the artefact that it makes; systems that have
none take ``artefacts/ARCHITECTURE.toml``, if there is one. Its keys are the fields of
:class:`~surrogate.settings.TrainingSettings` and of the settings of the architecture; weights of tasks are the keys
``energy_weight``, ``charge_weight`` and ``moment_weight``. The command line overrides it key by key.
"""

from __future__ import annotations

import dataclasses
import inspect
import tomllib
import typing
from collections.abc import Mapping
from importlib import resources
from typing import Any

from surrogate.architectures import ARCHITECTURES, find_architecture
from surrogate.settings import TASKS, TrainingSettings, paper_training
from wanglandau.errors import InputError

_WEIGHTS = {f"{task}_weight": task for task in TASKS}


def _make_options() -> type:
    """Build a dataclass with every setting of training and of all architectures, None standing for not said."""
    kinds: dict[str, Any] = {name: float for name in _WEIGHTS}
    texts = [f"{name} : float\n    Weight of the {task} in the loss." for name, task in _WEIGHTS.items()]
    for source in (TrainingSettings, *(architecture.settings for architecture in ARCHITECTURES.values())):
        hints = typing.get_type_hints(source)
        kinds |= {item.name: hints[item.name] for item in dataclasses.fields(source) if item.name != "weights"}
        texts.append((inspect.getdoc(source) or "").partition("----------\n")[2])
    made = dataclasses.make_dataclass("ModelOptions", [(name, kind | None, None) for name, kind in kinds.items()])
    made.__doc__ = "Settings that override the recipe.\n\nAttributes\n----------\n" + "\n".join(texts)
    return made


ModelOptions: Any = _make_options()
"""What a user may say about network and training; a field that is None is left to the recipe."""


def load_recipe(system: str, architecture: str) -> dict[str, Any]:
    """Return the shipped settings for a system or, where it has none, for any; empty where there are neither."""
    for name in (f"{system}-{architecture}.toml", f"{architecture}.toml"):
        file = resources.files("surrogate") / "artefacts" / name
        if file.is_file():
            return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}


def resolve_settings(
    system: str, architecture: str, tasks: tuple[str, ...], options: Any = None, *, as_paper: bool = False
) -> tuple[Any, TrainingSettings]:
    """Merge defaults, recipe and options into the settings of network and training.

    Parameters
    ----------
    system, architecture : str
    tasks : tuple of str
    options : ModelOptions, optional
    as_paper : bool
        Take loss, batches and task weights of the paper instead of the recipe's training.

    Returns
    -------
    tuple of (settings of the architecture, TrainingSettings)

    Raises
    ------
    InputError
        If a setting does not belong to this architecture or has no sensible value.
    """
    said = {name: value for name, value in vars(options).items() if value is not None} if options else {}
    recipe = load_recipe(system, architecture)
    network_type = find_architecture(architecture).settings
    network_names = {item.name for item in dataclasses.fields(network_type)}
    training_names = {item.name for item in dataclasses.fields(TrainingSettings)}
    for name in said:
        if name not in network_names | training_names | set(_WEIGHTS):
            raise InputError(f"{name} is no setting of a {architecture} network; leave it out")
    network = network_type(**_chosen(recipe | said, network_names))
    if as_paper:
        return network, _with(paper_training(system, tasks), said, training_names)
    return network, _with(TrainingSettings(), recipe | said, training_names)


def _with(base: TrainingSettings, values: Mapping[str, Any], names: set[str]) -> TrainingSettings:
    weights = dict(base.weights) | {task: values[name] for name, task in _WEIGHTS.items() if name in values}
    return dataclasses.replace(base, **_chosen(values, names), weights=weights)


def _chosen(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items() if name in names}
