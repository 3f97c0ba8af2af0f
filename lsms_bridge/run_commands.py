"""The console commands for a single configuration: its deck, its energy."""

from __future__ import annotations

from pathlib import Path

from lsms_bridge.chosen_configuration import ConfigurationChoice
from wanglandau.command_line import EXIT_NOT_CONVERGED, Report
from wanglandau.orderly_end import ends_in_order


def deck(
    system: str,
    /,
    *,
    lsms: Path | None = None,
    configuration: ConfigurationChoice,
    out: Path | None = None,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Print the LSMS deck of one configuration, starting from generated potentials.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file; the preset of the system unless said otherwise.
    configuration : ConfigurationChoice
        Which one.
    out : Path
        File to write instead, such as i_lsms.
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    from lsms_bridge.configuration import load_configuration, load_preset, make_parameters
    from lsms_bridge.deck import write_deck
    from lsms_bridge.ladder import rungs
    from wanglandau.commands.preparation import check_writable
    from wanglandau.systems import load_system

    chosen = load_system(system, repeat)
    if lsms is None:
        parameters = make_parameters(load_preset(chosen.name))
    else:
        parameters = load_configuration(lsms, chosen.name).parameters
    row = configuration.find(chosen.lattice)
    text = write_deck(chosen.lattice, row, parameters, rungs(parameters.n_spin)[0].start(parameters, ()))
    if out is None:
        return Report(text.rstrip("\n"), {"deck": text})
    check_writable(out)
    out.write_text(text, encoding="ascii")
    return Report(f"wrote {out}", {"deck": out})


@ends_in_order("the run of LSMS was ended and has left no result; the same command begins it anew")
def run(
    system: str,
    /,
    *,
    lsms: Path,
    configuration: ConfigurationChoice,
    again: bool = False,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Compute one configuration with LSMS, unless the folder of results has it already.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file: executable, folder, parameters.
    configuration : ConfigurationChoice
        Which one.
    again : bool
        Try anew what was given up before.
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    import sys

    from ase import units

    from lsms_bridge.preparation import load, open_campaign
    from wanglandau.oracle import pure_energies

    chosen, settings = load(system, lsms, repeat)
    row = configuration.find(chosen.lattice)
    with open_campaign(chosen, settings) as opened:
        record = opened.compute(row[None], "run", again=again)[0]
        references = opened.known_references()
        print(opened.usage, file=sys.stderr)
    values = vars(record) | {"done": record.done}
    if not record.done:
        text = f"given up ({settings.folder / record.folder}): {record.reason}"
        return Report(text, values, EXIT_NOT_CONVERGED)
    lines = [
        f"total energy   {record.energy:.9f} Ry per cell, Fermi energy {record.fermi_energy:.6f} Ry",
        f"convergence    {record.iterations} iterations, residual {record.residual:.1e}, "
        f"last change of the energy {record.energy_change:.1e} Ry, {record.seconds:.0f} s",
    ]
    if references is not None:
        mixing = record.energy - float(pure_energies(row[None], references)[0])
        lines.append(f"mixing energy  {mixing:.9f} Ry per cell, {1000 * mixing * units.Ry / len(row):.3f} meV/atom")
        values["mixing_energy_ry"] = mixing
    return Report("\n".join([*lines, *(f"remark         {remark}" for remark in record.remarks)]), values)
