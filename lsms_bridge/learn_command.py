"""The console command that lets a surrogate learn from LSMS until thermodynamics stand still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lsms_bridge.learning_settings import LearningSettings
from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from lsms_bridge.configuration import BridgeConfiguration
    from surrogate.dataset import Dataset
    from wanglandau.oracle import EnergyOracle
    from wanglandau.systems import System


@ends_in_order("finished generations and energies of LSMS are kept; the same command goes on with this generation")
def learn(
    system: str,
    /,
    *,
    lsms: Path | None = None,
    oracle: str | None = None,
    dataset: str | None = None,
    composition: int | Literal["all"] | None = None,
    settings: LearningSettings,
    members: int = 5,
    epochs: int | None = None,
    executor: str = "threads",
    ending: EndingSettings,
    repeat: tuple[int, int, int] | None = None,
    out: Path | None = None,
) -> Report:
    """Let a committee of networks learn from LSMS, by its own questions, until thermodynamics stand still.

    Each generation trains a committee on all data so far, computes ground state and C(T) with it, and has LSMS compute
    the configurations that it takes for the lowest, that it knows least of, and some at random. It has settled when the
    ground state stays and the peak of C moves by less than its error, sampling and model together, in some
    generations in a row; a loop that has not ends with exit code 3. Every generation is kept: the same command goes
    on where it was ended, whatever ended it.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file of the dear oracle LSMS: executable, folder, parameters.
    oracle : str
        Another dear oracle instead, for trying it out: pair:FILE, surrogate or any installed one.
    dataset : str
        Data to start from: the name of a shipped set or a file. Default: with LSMS the shipped set of the system, if
        the parameters are those that it was made with; otherwise some configurations are computed.
    composition : int or all
        Number of second-species atoms; default: the system's own, usually half the sites.
    settings : LearningSettings
    members : int
        Networks in the committee, at least 4.
    epochs : int
        Of training, instead of the recipe's.
    executor : str
        Where LSMS runs: threads, or parsl:FILE.py, a Python file that defines a parsl Config named config.
    ending : EndingSettings
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    out : Path
        Folder of the generations and of the report; SYSTEM-learning unless said otherwise.
    """
    from lsms_bridge.configuration import load_configuration
    from lsms_bridge.executors import open_executor
    from lsms_bridge.oracle import LsmsOracle
    from wanglandau.commands.preparation import check_folder
    from wanglandau.oracle_registry import load_oracle
    from wanglandau.systems import load_system

    chosen = load_system(system, repeat)
    folder = out or Path(f"{chosen.name}-learning")
    check_folder(folder)
    compositions = _compositions(chosen, composition)
    how = (compositions, settings, members, epochs, folder)
    if (lsms is None) == (oracle is None):
        raise InputError("give the dear oracle: --lsms CONFIG.toml, or --oracle NAME for another, one of the two")
    if oracle is not None:
        return _learn(chosen, load_oracle(oracle, chosen), _load(dataset), *how)
    assert lsms is not None
    configuration = load_configuration(lsms, chosen.name)
    start = _load(dataset) or _shipped(chosen, configuration)
    known = configuration.known_results() or start
    with open_executor(executor) as workers:
        dear = LsmsOracle(chosen.lattice, configuration, workers, known)
        try:
            return _learn(chosen, dear, start, *how)
        finally:
            _say(dear.usage())
            dear.close()


def _learn(
    system: System,
    dear: EnergyOracle,
    start: Dataset | None,
    compositions: tuple[int, ...],
    settings: LearningSettings,
    members: int,
    epochs: int | None,
    folder: Path,
) -> Report:
    from lsms_bridge.learning import LearningTask
    from lsms_bridge.learning import learn as run
    from lsms_bridge.learning_report import describe, values_of, write_report
    from lsms_bridge.network_committee import NetworkLearner

    learner = NetworkLearner(system.name, members, epochs)
    result = run(LearningTask(system, compositions, dear, learner, start), settings, folder)
    caution = "" if start is None else str(start.attributes.get("caution", ""))
    files = write_report(result, caution)
    written = ", ".join(str(file) for file in files)
    text = f"{describe(result)}\n\nwritten to {folder}: {written}" + (f"\n\n{caution}" if caution else "")
    code = EXIT_DONE if result.verdict.settled else EXIT_NOT_CONVERGED
    return Report(text, {"out": folder, "files": files} | values_of(result), code)


def _compositions(system: System, composition: int | Literal["all"] | None) -> tuple[int, ...]:
    if composition == "all":
        return tuple(range(1, system.lattice.n_sites))
    return (system.composition if composition is None else composition,)


def _load(dataset: str | None) -> Dataset | None:
    from surrogate.dataset import load_dataset

    return None if dataset is None else load_dataset(dataset)


def _shipped(system: System, configuration: BridgeConfiguration) -> Dataset | None:
    """Return the shipped data where they are of the same lattice and physics as what LSMS is to compute."""
    from lsms_bridge.configuration import load_preset, make_parameters
    from surrogate.dataset import SHIPPED, load_dataset

    if system.name not in SHIPPED:
        return None
    same = make_parameters(load_preset(system.name)).physics_digest == configuration.parameters.physics_digest
    shipped = load_dataset(system.name)
    if not same or shipped.lattice.fingerprint != system.lattice.fingerprint:
        _say("the shipped data set is of another lattice or of other settings; the loop begins with data of its own")
        return None
    return shipped


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr)
