"""What the console program does where ensembles are asked for with ``--members``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.settings import EnsembleSettings, TrainingSettings
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.ensemble_artefact import Ensemble, EnsembleCard
    from surrogate.evaluation import Keep
    from surrogate.model_keeping import ModelKeeper


def ensemble_settings(members: int | None, fraction: float | None, architecture: str) -> EnsembleSettings | None:
    """Return what was asked for; None for a single model.

    Raises
    ------
    InputError
        If only a fraction is given, or the architecture has no ensembles.
    """
    if members is None:
        if fraction is not None:
            raise InputError("--member-fraction is for ensembles; add --members, for example --members 8")
        return None
    if architecture == "xgboost":
        raise InputError("--members is for networks; there is no ensemble of xgboost models: leave it out")
    return EnsembleSettings(members) if fraction is None else EnsembleSettings(members, fraction)


def train_ensemble(
    data: Dataset,
    architecture: str,
    tasks: tuple[str, ...],
    settings: tuple[Any, TrainingSettings],
    several: EnsembleSettings,
    target: Path,
    keeper: ModelKeeper,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train an ensemble and write it; return its metrics on the training data and what is known of its spread.

    Parameters
    ----------
    data : Dataset
    architecture : str
    tasks : tuple of str
    settings : tuple
        Of the network and of the training, see :func:`surrogate.recipes.resolve_settings`.
    several : EnsembleSettings
    target : Path
    keeper : ModelKeeper
    """
    from surrogate.ensemble_artefact import save_ensemble
    from surrogate.ensemble_fitting import fit_ensemble

    network, training = settings
    made = fit_ensemble(data, architecture, tasks, network, training, several, keeper=keeper)
    save_ensemble(target, made)
    return made.card.metrics, known_of(made.card)


def known_of(card: EnsembleCard) -> dict[str, Any]:
    """Return what is known of the spread of an ensemble."""
    return {"members": len(card.members), "spread_scale": card.spread_scale, "held_out": card.held_out}


def cross_validated_ensemble(
    data: Dataset,
    architecture: str,
    tasks: tuple[str, ...],
    settings: tuple[Any, TrainingSettings],
    several: EnsembleSettings,
    folds: tuple[int, int, int],
    keep: Keep | None = None,
) -> dict[str, Any]:
    """Cross-validate ensembles with their calibration; ``folds`` are number of folds, repeats and seed."""
    from tqdm import tqdm

    from surrogate.ensemble_fitting import cross_validate_ensemble, fit_ensemble

    network, training = settings

    def fit(part: Dataset) -> Ensemble:
        return fit_ensemble(part, architecture, tasks, network, training, several, quiet=True)

    with tqdm(total=folds[0] * folds[1], desc="cross-validation", unit="fold", disable=None) as bar:
        report = cross_validate_ensemble(data, fit, *folds, advance=bar.update, keep=keep)
    many = f"ensemble of {several.members} {architecture}"
    return {"model": f"{many}, {folds[0]}-fold cross-validation over orbits, repeated {folds[1]} times"} | report
