"""What ``wanglandau inspect`` says of data sets, trained models and the folders of studies and learning curves."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from surrogate.artefact import MAX_FILE, Artefact, Card
from surrogate.dataset import Dataset, load_dataset
from surrogate.ensemble_artefact import load_model
from surrogate.kept_results import read_json
from wanglandau.bounded_file import read_bytes
from wanglandau.inspection import table_of
from wanglandau.inspectors import Inspected
from wanglandau.levels import MEV_PER_RY

_SHIPPED = {"Cu-Au": "cuau", "Fe-Pt": "fept"}
_INSTEAD = "see surrogate evaluate --figure"
_RMSE = "mixing_energy_rmse_within_composition_mev_per_atom"


def describe(path: Path) -> Inspected | None:
    """Describe what this package writes; None where it is something else.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if path.is_dir():
        if (path / "study.json").is_file():
            return _describe_study(path)
        return _describe_curves(path) if (path / "learning-curve.json").is_file() else None
    if path.suffix == ".safetensors":
        return _describe_model(path)
    if path.suffix in (".ubj", ".json") and (card := _card_of_trees(path)) is not None:
        return _describe_card(path, card, f"xgboost:{path}")
    return _describe_dataset(path, load_dataset(path)) if _is_dataset(path) else None


def _is_dataset(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "schema_version" in file.attrs and "occupations" in file
    except OSError:
        return False


def _describe_dataset(path: Path, data: Dataset) -> Inspected:
    first, second = data.lattice.species
    energy = data.mixing_energy * MEV_PER_RY / data.lattice.n_sites
    tasks = [name for name in ("energy", "charge", "moment") if getattr(data, name) is not None]
    sources = {} if data.source is None else dict(zip(*np.unique(data.source, return_counts=True), strict=True))
    caution = str(data.attributes.get("caution", ""))
    values: dict[str, Any] = {
        "kind": "data set",
        "species": [first, second],
        "n_sites": data.lattice.n_sites,
        "configurations": len(data),
        "orbits": len(np.unique(data.orbit)),
        "compositions": np.unique(data.composition),
        "tasks": tasks,
        "reference_energies": data.reference_energies,
        "lowest_energy_mev_per_atom": energy.min(),
        "highest_energy_mev_per_atom": energy.max(),
        "sources": {str(name): int(count) for name, count in sources.items()},
        "digest": data.digest,
        "caution": caution,
    }
    compositions = values["compositions"]
    system = _system_of(data)
    lines = [
        ("data set", f"{len(data)} configurations in {values['orbits']} orbits, with {', '.join(tasks)}"),
        ("system", f"{first}-{second} on {data.lattice.n_sites} sites"),
        ("compositions", f"{len(compositions)}, from {compositions.min()} to {compositions.max()} {second} atoms"),
        ("energies", f"{energy.min():.3f} to {energy.max():.3f} meV/atom"),
        (
            "references",
            ", ".join(f"{value:.6f}" for value in data.reference_energies) + f" Ry/atom for {first}, {second}",
        ),
        ("computed by", str(data.attributes.get("code", "not said"))),
        ("chosen as", ", ".join(f"{name} {count}" for name, count in values["sources"].items()) or "not said"),
    ]
    lines += [("caution", caution)] if caution else []
    steps = (
        _command("surrogate", "evaluate", system, "--dataset", path, "--cross-validate", 5),
        _command("surrogate", "train", system, "--dataset", path, "--out", "mine.safetensors"),
    )
    return Inspected(table_of(lines), values, steps, instead="draw a model against it: surrogate evaluate --figure")


def _system_of(data: Dataset) -> str:
    return str(data.attributes.get("system", "SYSTEM"))


def _describe_model(path: Path) -> Inspected:
    model = load_model(path)
    specification = f"surrogate:{path}"
    if isinstance(model, Artefact):
        return _describe_card(path, model.card, specification)
    card = model.card
    held_out = {name: value for name, value in card.held_out.items() if isinstance(value, int | float)}
    lines = [
        ("ensemble", f"{len(card.members)} networks, architecture {card.members[0].architecture}"),
        *_common_lines(card.members[0], card.dataset, card.metrics),
        ("spread", f"multiplied by {card.spread_scale:.3g} to be as large as the error on what members have not seen"),
        ("held out", ", ".join(f"{name} {value:.4g}" for name, value in held_out.items()) or "nothing"),
    ]
    lines += [("caution", card.caution)] if card.caution else []
    values = _card_values(card.members[0], card.dataset, card.metrics) | {
        "kind": "ensemble",
        "members": len(card.members),
        "spread_scale": card.spread_scale,
        "held_out": card.held_out,
    }
    return Inspected(table_of(lines), values, _use(path, card.members[0], specification), instead=_INSTEAD)


def _describe_card(path: Path, card: Card, specification: str) -> Inspected:
    lines = [("surrogate", f"architecture {card.architecture}"), *_common_lines(card, card.dataset, card.metrics)]
    lines += [("caution", card.caution)] if card.caution else []
    values = _card_values(card, card.dataset, card.metrics) | {"kind": "surrogate"}
    return Inspected(table_of(lines), values, _use(path, card, specification), instead=_INSTEAD)


def _common_lines(card: Card, dataset: dict[str, Any], metrics: dict[str, Any]) -> list[tuple[str, str]]:
    first, second = card.species
    references = ", ".join(f"{value:.6f}" for value in card.reference_energies)
    trained = f"{dataset.get('n_configurations', 'unknown')} configurations (digest {str(dataset.get('digest'))[:12]})"
    settings = ", ".join(f"{name} {value}" for name, value in card.training.items() if name in _TOLD)
    error = metrics.get(_RMSE)
    fitted = "not said" if error is None else f"{error:.4g} meV/atom rms on its own training data"
    return [
        ("learnt", ", ".join(card.tasks)),
        ("system", f"{first}-{second}, references {references} Ry/atom"),
        ("trained on", trained + (f"; {settings}" if settings else "")),
        ("fit", f"{fitted}; errors on others: surrogate evaluate --cross-validate"),
    ]


_TOLD = ("epochs", "loss", "seed")


def _card_values(card: Card, dataset: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "architecture": card.architecture,
        "tasks": card.tasks,
        "species": card.species,
        "reference_energies": card.reference_energies,
        "dataset": {name: value for name, value in dataset.items() if name != "orbits"},
        "training": card.training,
        "metrics_on_training_data": metrics,
        "versions": card.versions,
    }


def _use(path: Path, card: Card, specification: str) -> tuple[str, ...]:
    system = _SHIPPED.get("-".join(card.species), "SYSTEM.toml")
    steps = [_command("wanglandau", "dos", system, "--oracle", specification)] if "energy" in card.tasks else []
    option = "--oracle" if specification.startswith("xgboost:") else "--artefact"
    given = specification if option == "--oracle" else path
    return (*steps, _command("surrogate", "evaluate", system, option, given, "--figure", "parity.png"))


def _card_of_trees(path: Path) -> Card | None:
    """Return the card of an XGBoost model; None where the file is none."""
    content = read_bytes(path, "artefact", MAX_FILE)
    if content[:1] != b"{" or b"card" not in content:
        return None
    import xgboost

    try:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError:
        return None
    text = booster.attr("card")
    return None if text is None else Card.from_json(text)


def _describe_study(folder: Path) -> Inspected:
    of = read_json(folder / "study.json")
    done = sorted(
        file.stem for file in folder.glob("*.json") if file.stem != "study" and not file.stem.endswith(".part")
    )
    begun = sorted(file.name.removesuffix(".part.json") for file in folder.glob("*.part.json"))
    settings = of.get("settings", {})
    errors = {name: _median_error(read_json(folder / f"{name}.json")) for name in done}
    finished = (folder / "report.md").is_file()
    lines = [
        ("study", f"of {of.get('system')}, {of.get('dataset', {}).get('n_configurations')} configurations"),
        ("settings", ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)),
        ("state", "finished" if finished and not begun else "not finished"),
        *(
            (name, "no energy" if error is None else f"{error:.4g} meV/atom (rms, median)")
            for name, error in errors.items()
        ),
        *((name, "begun") for name in begun),
    ]
    values = {"kind": "study", "of": of, "models": errors, "begun": begun, "finished": finished and not begun}
    step = f"read {folder / 'report.md'}" if finished else _again("study", of.get("system"), folder)
    return Inspected(table_of(lines), values, (step,), instead="its figures are in the folder")


def _median_error(result: dict[str, Any]) -> float | None:
    found = [report[_RMSE] for report in result.get("reports", []) if report.get(_RMSE) is not None]
    return float(np.median(found)) if found else None


def _describe_curves(folder: Path) -> Inspected:
    kept = read_json(folder / "learning-curve.json")
    of, curves = kept.get("of", {}), kept.get("curves", [])
    finished = (folder / "report.md").is_file()
    lines = [
        ("learning curves", f"of {of.get('system')}, {len(curves)} models done"),
        ("sizes", ", ".join(map(str, of.get("sizes", [])))),
        ("state", "finished" if finished else "not finished"),
        *((f"{curve['architecture']} {'+'.join(curve['tasks'])}", _last_errors(curve)) for curve in curves),
    ]
    step = f"read {folder / 'report.md'}" if finished else _again("learning-curve", of.get("system"), folder)
    values = {"kind": "learning curves", "of": of, "curves": curves, "finished": finished}
    return Inspected(table_of(lines), values, (step,), instead="its figure is in the folder")


def _last_errors(curve: dict[str, Any]) -> str:
    parts = [f"{task} {np.mean(np.array(values)[-1]):.4g}" for task, values in curve["errors"].items()]
    return "mean error with all configurations: " + ", ".join(parts)


def _again(command: str, system: Any, folder: Path) -> str:
    return _command("surrogate", command, system, "--folder", folder) + "   (with the settings above; it goes on)"


def _command(*words: Any) -> str:
    return shlex.join(map(str, words))
