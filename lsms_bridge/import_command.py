"""The console command that takes in results made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import Report
from wanglandau.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from lsms_bridge.result_log import Record
    from lsms_bridge.run_folders import Found
    from surrogate.dataset import Dataset
    from wanglandau.systems import System


def import_results(
    system: str,
    folder: Path,
    /,
    *,
    lsms: Path | None = None,
    out: Path | None = None,
    reference_energies: tuple[float, float] | None = None,
    tolerances: tuple[float, float] | None = None,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Take in results made elsewhere: folders of LSMS runs, or published text files.

    Folders of runs are judged as one's own runs are; those that do not count are listed with the reason. Their results
    go into a data set or, with --lsms, into the folder of a campaign, which then does not compute them again: all runs
    must have been made with the parameters of that configuration.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice; its cell must be that of the runs.
    folder : Path
        Holds folders of runs at any depth, or nothing but text files in the format of info_evec_out.
    lsms : Path
        Configuration file of the campaign that the results go to.
    out : Path
        HDF5 file to write where no campaign is given; SYSTEM-imported-data.h5 unless said otherwise.
    reference_energies : tuple of two float
        Energies of the pure species, Ry per atom; those of runs of one species unless said otherwise.
    tolerances : tuple of two float
        Residual and relative change of the energy that runs had to reach, instead of those that LSMS printed.
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    from lsms_bridge.recording import make_record
    from lsms_bridge.run_folders import IMPORTED, find_runs, read_runs
    from wanglandau.commands.preparation import check_writable
    from wanglandau.systems import load_system

    chosen = load_system(system, repeat)
    target = out or Path(f"{chosen.name}-imported-data.h5")
    if lsms is not None and (out is not None or reference_energies is not None):
        raise InputError(
            "results go into a campaign (--lsms) or into a data set (--out, --reference-energies): give one"
        )
    check_writable(target)
    runs = find_runs(folder)
    if not runs:
        return _import_text(chosen, folder, target, lsms, reference_energies)
    found = read_runs(runs, chosen.lattice, _asked(runs, tolerances))
    _check_one_program(found)
    records = [
        make_record(chosen.lattice, one.result, IMPORTED, str(one.folder)) for one in found if one.result is not None
    ]
    if lsms is not None:
        stored, where = _to_campaign(chosen, lsms, records)
    else:
        data = _to_dataset(chosen, records, reference_energies, target)
        stored, where = len(data), str(target)
    return _report(found, stored, where)


def _asked(runs: list[Path], tolerances: tuple[float, float] | None) -> Any:
    from lsms_bridge.result import Tolerances, program_printed, read_stdout, spins_printed
    from lsms_bridge.run_folders import PRINTED

    if tolerances is None:
        return None
    printed = next(filter(None, (read_stdout(run, PRINTED) for run in runs)), "")
    if not printed:
        raise InputError("none of the runs has kept what LSMS printed (stdout), which tells the columns of k.out")
    return Tolerances(program_printed(printed), spins_printed(printed), *tolerances)


def _check_one_program(found: list[Found]) -> None:
    """Refuse to put energies of atomic spheres and of muffin tins into one set."""
    counted: dict[str, Path] = {one.program: one.folder for one in found if one.result is not None}
    if len(counted) > 1:
        places = " and ".join(f"{folder} ({program})" for program, folder in counted.items())
        raise InputError(f"runs of two programs cannot be mixed: {places}; give folders of one of them")


def _import_text(
    system: System, folder: Path, target: Path, lsms: Path | None, references: tuple[float, float] | None
) -> Report:
    from surrogate.dataset import save_dataset
    from surrogate.text_dataset import read_text_dataset

    if lsms is not None:
        raise InputError(
            f"{folder} holds text files, which do not say whether a run converged; they can become a data set (--out) "
            "but not results of a campaign"
        )
    data = read_text_dataset(folder, system, references)
    save_dataset(data, target)
    values = {"dataset": target, "n_configurations": len(data), "dataset_digest": data.digest, "refused": []}
    return Report(f"wrote {target}: {len(data)} configurations from text files", values)


def _to_campaign(system: System, lsms: Path, records: list[Record]) -> tuple[int, str]:
    from lsms_bridge.campaign import Campaign
    from lsms_bridge.configuration import load_configuration

    settings = load_configuration(lsms, system.name)
    with Campaign(system.lattice, settings) as campaign:
        before = len(campaign.log)
        for record in records:
            campaign.log.add(record)
        return len(campaign.log) - before, str(settings.folder)


def _to_dataset(system: System, records: list[Record], given: tuple[float, float] | None, target: Path) -> Dataset:
    import numpy as np

    from lsms_bridge.collection import dataset_of
    from surrogate.dataset import save_dataset

    unique = list({record.occupations: record for record in reversed(records)}.values())
    if not unique:
        raise InputError("no run counts; the reasons are those of 'lsms-bridge import --json'")
    references = _pure_energies(system, unique) if given is None else np.array(given)
    magnetic = any(value != 0.0 for record in unique for value in record.moment)
    data = dataset_of(system.lattice, unique, references, system.name, None, magnetic)
    save_dataset(data, target)
    return data


def _pure_energies(system: System, records: list[Record]) -> np.ndarray:
    import numpy as np

    n_sites = system.lattice.n_sites
    energies = {record.occupations: record.energy for record in records}
    lacking = [
        symbol for symbol, kind in zip(system.lattice.species, "01", strict=True) if kind * n_sites not in energies
    ]
    if lacking:
        raise InputError(
            f"there is no run of pure {' and '.join(lacking)}; give --reference-energies E1 E2 (Ry per atom, "
            f"{' then '.join(system.lattice.species)})"
        )
    return np.array([energies[kind * n_sites] / n_sites for kind in "01"])


def _report(found: list[Found], stored: int, where: str) -> Report:
    refused = [one for one in found if one.result is None]
    remarks = [(one.folder, remark) for one in found if one.result is not None for remark in one.result.remarks]
    lines = [
        f"{len(found)} runs: {len(found) - len(refused)} count, {len(refused)} do not; {stored} orbits new in {where}"
    ]
    lines += [f"refused {one.folder}: {one.reason}" for one in refused]
    lines += [f"note    {folder}: {remark}" for folder, remark in remarks]
    values = {
        "n_runs": len(found),
        "n_stored": stored,
        "stored_in": where,
        "refused": [{"folder": one.folder, "reason": one.reason} for one in refused],
        "remarks": [{"folder": folder, "remark": remark} for folder, remark in remarks],
    }
    return Report("\n".join(lines), values)
