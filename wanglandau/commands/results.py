"""``wanglandau thermo``, ``compare`` and ``inspect``: what is done with result files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import Report
from wanglandau.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from wanglandau.comparison import Comparison
    from wanglandau.levels import Source
    from wanglandau.semigrand_comparison import SemigrandComparison
    from wanglandau.semigrand_file import AnyRecord
    from wanglandau.temperature_curves import TemperatureCurves


def thermo(
    file: Path,
    /,
    *,
    temperatures: str | None = None,
    composition: int | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
    order_figure: Path | None = None,
    profile: Path | None = None,
) -> Report:
    """Compute U, C, F and S, and what was measured, against temperature from a density of states.

    Parameters
    ----------
    file
        A file written by dos or exact.
    temperatures
        LO:HI:STEP in kelvin; default: about the temperature where the heat capacity peaks.
    composition
        Which composition of a file that holds several; default of an exact file: every configuration, at zero field.
    csv
        Write all curves to this file.
    figure
        Draw U, C, F and S into this file (PNG, PDF or SVG).
    order_figure
        Draw the observables that were measured into this file.
    profile
        Write probability and free energy of the observable of a joint density (dos --joint) to this CSV file.
    """
    from wanglandau import thermodynamics as thermal
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.density_of_states import DensityOfStates
    from wanglandau.hdf5_parts import making_sense_of
    from wanglandau.levels import MEV_PER_RY
    from wanglandau.semigrand_file import read_any_result
    from wanglandau.temperature_curves import temperature_curves

    check_writable(csv, profile)
    check_figure(figure)
    check_figure(order_figure)
    record = read_any_result(file)
    source, averages = _thermal_source(record, composition), getattr(record, "averages", [])
    _check_measured(file, order_figure, averages, "observables were measured", "dos without --no-observables")
    _check_measured(file, profile, getattr(record, "joint", []), "a joint density was sampled", "dos --joint NAME")
    with making_sense_of(file):
        grid = thermal.parse_temperatures(temperatures) if temperatures else thermal.default_temperatures(source)
        curves = temperature_curves(source, grid, averages)
    if csv is not None:
        csv.write_text(curves.csv(), encoding="utf-8")
    if figure is not None:
        from wanglandau.figures import thermodynamics_figure

        thermodynamics_figure(figure, curves.thermal)
    if order_figure is not None:
        from wanglandau.observable_figure import observable_figure

        assert curves.averages is not None
        observable_figure(order_figure, curves.averages)
    if profile is not None:
        _write_profile(profile, record, grid)
    columns = curves.columns()
    values: dict[str, Any] = {"temperature_k": columns.pop("temperature_K")} | columns | {"peak": curves.peak}
    if curves.model is not None:
        values["model"] = curves.model.to_json()
    if isinstance(source, DensityOfStates):
        values["microcanonical"] = {
            "mixing_energy_mev_per_atom": source.mean_energy * MEV_PER_RY / source.n_sites,
            "temperature_k": thermal.microcanonical_temperature(source),
        }
    written = [path for path in (csv, figure, order_figure, profile) if path is not None]
    text = _thermo_text(curves, written)
    if isinstance(source, DensityOfStates) and (asked := getattr(record, "settings", {}).get("energy_range")):
        from wanglandau.cut_range import valid_above, where_it_holds

        values["valid_above_k"] = valid_above(source, asked)
        text += f"\nlower energies were left out: {where_it_holds(values['valid_above_k'])}"
    return Report(text, values)


def _check_measured(file: Path, wanted: Path | None, measured: list, what: str, remedy: str) -> None:
    if wanted is not None and not measured:
        raise InputError(f"{file} does not say that {what}, so {wanted} cannot be made; sample with {remedy}")


def _write_profile(path: Path, record: AnyRecord, temperatures: np.ndarray) -> None:
    import numpy as np

    from wanglandau.joint_histogram import free_energy_profile
    from wanglandau.levels import MEV_PER_RY
    from wanglandau.run_file import RunRecord

    assert isinstance(record, RunRecord)
    found = free_energy_profile(record.density, record.joint, temperatures)
    shape = found.probability.shape
    columns = [
        np.repeat(found.temperatures, shape[1]),
        np.tile(found.values, shape[0]),
        found.probability.ravel(),
        found.free_energy.ravel() * MEV_PER_RY,
    ]
    lines = [",".join(f"{value:.10g}" for value in row) for row in np.column_stack(columns)]
    header = f"temperature_K,{found.name},probability,free_energy_mev_per_cell"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def compare(run: Path, exact: Path, /, *, other_oracle: bool = False, figure: Path | None = None) -> Report:
    """Compare a sampled density of states with an exact one (or another run).

    Parameters
    ----------
    run
        A file written by dos.
    exact
        A file written by exact or dos.
    other_oracle
        Compare even if the two come from different energies.
    figure
        Draw both, their difference with its error band, and both C(T) into this file (PNG, PDF or SVG).
    """
    from wanglandau.commands.preparation import check_figure
    from wanglandau.comparison import compare as compare_run
    from wanglandau.hdf5_parts import making_sense_of
    from wanglandau.run_file import ExactRecord, RunRecord, read_result
    from wanglandau.semigrand_comparison import compare_semigrand
    from wanglandau.semigrand_file import SemigrandRecord, read_any_result

    check_figure(figure)
    sampled, reference = read_any_result(run), read_result(exact)
    with making_sense_of(run, exact):
        if isinstance(sampled, SemigrandRecord):
            if not isinstance(reference, ExactRecord):
                raise InputError(f"{run} has all compositions; compare it with a file of exact --all-compositions")
            all_compared = compare_semigrand(sampled, reference, allow_other_oracle=other_oracle)
            if figure is not None:
                from wanglandau.composition_figures import composition_errors_figure

                composition_errors_figure(figure, all_compared.by_composition, sampled.system["species"])
            return _compared(all_compared, figure)
        if not isinstance(sampled, RunRecord):
            raise InputError(f"{run} was not written by dos; give the sampled file first, then the exact one")
        compared = compare_run(sampled, reference, allow_other_oracle=other_oracle)
        if figure is not None:
            from wanglandau.figures import density_figure

            density_figure(figure, sampled, reference)
        return _compared(compared, figure)


def _compared(compared: Comparison | SemigrandComparison, figure: Path | None) -> Report:
    written = "" if figure is None else f"\nwritten to {figure}"
    return Report(f"{compared}{written}", compared.to_json())


def inspect(file: Path, /, *, figure: Path | None = None, csv: Path | None = None) -> Report:
    """Tell what a file or folder is, how far it got, whether to trust it and what to do next.

    Parameters
    ----------
    file
        Whatever these programs write: results of dos, exact, metropolis, reweight or lsms-bridge, trajectories, data
        sets, trained models; folders of scaling, study, learning-curve, learn or a campaign; or a file that dos is
        about to write.
    figure
        Draw what a result of dos, exact, metropolis or reweight holds into this file (PNG, PDF or SVG).
    csv
        Write the averages of a result of metropolis or reweight to this file.
    """
    from wanglandau.checkpoint_inspection import describe_unfinished, result_of
    from wanglandau.commands.preparation import check_figure, check_writable

    check_figure(figure)
    check_writable(csv)
    unfinished = describe_unfinished(file)
    if unfinished is None:
        return _inspect_whole(file, figure, csv)
    text, values = unfinished
    if not result_of(file).exists():
        return Report(text, {"unfinished": values})
    result = _inspect_whole(result_of(file), figure, csv)
    told = f"{result.text}\n\nbeside it a calculation that is not over:\n{text}"
    both: dict[str, Any] = {**result.values, "unfinished": values}
    return Report(told, both)


def _inspect_whole(file: Path, figure: Path | None, csv: Path | None) -> Report:
    from wanglandau.hdf5_parts import making_sense_of
    from wanglandau.inspectors import inspect_path

    with making_sense_of(file):
        found = inspect_path(file)
        for path, write, what in ((figure, found.draw, "figure"), (csv, found.write_csv, "table")):
            if path is not None:
                if write is None:
                    raise InputError(f"there is no {what} of {file} to be had; {found.instead}")
                write(path)
    written = [f"written to {path}" for path in (figure, csv) if path is not None]
    return Report("\n".join([found.text, *written]), found.values | {"next": list(found.next_steps)})


def _thermal_source(record: AnyRecord, composition: int | None) -> Source:
    from wanglandau.levels import Levels
    from wanglandau.run_file import ExactRecord, RunRecord

    if isinstance(record, RunRecord):
        if composition not in (None, record.density.composition):
            raise InputError(f"this run is of composition {record.density.composition}, not {composition}")
        return record.density
    if isinstance(record, ExactRecord):
        levels = record.levels if composition is None else record.levels.at_composition(composition)
        return Levels.exact(levels.n_sites, *levels.over_compositions())
    if composition not in record.densities:
        some = ", ".join(str(known) for known in record.densities)
        raise InputError(f"this file has a density for each of several compositions; choose --composition {some}")
    return record.densities[composition]


def _thermo_text(curves: TemperatureCurves, written: list[Path]) -> str:
    thermal, peak = curves.thermal, curves.peak
    atoms = thermal.n_sites
    lines = ["     T/K   U/(meV/atom)   C/(k_B/atom)   F/(meV/atom)   S/(k_B/atom)"]
    rows = list(zip(thermal.temperatures, *thermal.per_atom().values(), strict=True))
    step = max(1, len(rows) // 25)
    lines += [f"{t:8.1f}   {u:12.4f}   {c:12.5f}   {f:12.4f}   {s:12.5f}" for t, u, c, f, s in rows[::step]]
    if peak.inside:
        model = curves.model
        of_height = "" if model is None else f" (sampling) +- {model.peak_height_error / atoms:.4f} (model)"
        of_temperature = "" if model is None else f" (sampling) +- {model.peak_temperature_error:.2g} K (model)"
        lines.append(
            f"peak of C: {peak.height / atoms:.4f} +- {peak.height_error / atoms:.4f}{of_height} k_B/atom "
            f"at {peak.temperature:.2f} +- {peak.temperature_error:.2f} K{of_temperature}"
        )
    else:
        lines.append("C has no maximum between these temperatures; try others with --temperatures")
    if curves.averages is not None:
        lines.append(f"measured besides (see --csv, --order-figure): {', '.join(curves.averages.names)}")
    lines += [f"written to {path}" for path in written]
    return "\n".join(lines)
