"""Figures and the one-screen description: they are made, complete and honest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_levels import description, exact_levels, noisy_record

from wanglandau import figures
from wanglandau.errors import InputError
from wanglandau.figures import density_figure, thermodynamics_figure
from wanglandau.inspection import describe, describe_exact
from wanglandau.run_file import ExactRecord
from wanglandau.thermodynamics import thermodynamics

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

EXACT = ExactRecord(exact_levels(), **description())


@pytest.fixture()
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures as they are saved."""
    saved: list[Figure] = []

    def save(figure: Figure, path: str, note: str, title: str) -> None:
        figure.suptitle(title)
        saved.append(figure)

    monkeypatch.setattr(figures, "save_figure", save)
    return saved


def test_files_are_written(tmp_path: Path) -> None:
    density_figure(tmp_path / "dos.png", noisy_record(), EXACT, note="a note")
    curves = thermodynamics(noisy_record().density, np.linspace(100, 1500, 30))
    thermodynamics_figure(tmp_path / "thermo.svg", curves)
    assert (tmp_path / "dos.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "thermo.svg").read_text()


def test_panels_hold_the_numbers(drawn: list[Figure]) -> None:
    record = noisy_record(0.02)
    density_figure("unused.png", record, EXACT)
    ln_g, error, capacity = drawn[0].axes
    exact, sampled = (line.get_ydata() for line in ln_g.lines)
    np.testing.assert_allclose(sampled, record.density.ln_g[record.density.visited])
    np.testing.assert_allclose(np.exp(exact).sum(), 601080390)
    np.testing.assert_allclose(error.lines[1].get_ydata(), sampled - exact)
    assert f"rms {np.sqrt(np.mean((sampled - exact) ** 2)):.4f}" in error.get_title(loc="left")
    assert capacity.texts[0].get_text().endswith(" K") and "±" in capacity.texts[0].get_text()
    assert max(capacity.lines[0].get_ydata()) == pytest.approx(0.725, rel=0.02)
    assert "meV/atom" in ln_g.get_xlabel() and "atom" in capacity.get_ylabel()


def test_without_exact_levels_every_run_is_shown(drawn: list[Figure]) -> None:
    record = noisy_record(0.02)
    record.density.run_ln_g[3, 0] = -np.inf
    density_figure("unused.png", record)
    assert len(drawn[0].axes[1].lines) == 1 + 8


def test_title_names_the_file_but_not_its_folder(drawn: list[Figure]) -> None:
    record = noisy_record()
    record.oracle["name"] = "pair:/some/where/nn.toml"
    density_figure("unused.png", record)
    assert drawn[0].get_suptitle().endswith("energies from pair:nn.toml")


def test_no_peak_no_mark(drawn: list[Figure]) -> None:
    density_figure("unused.png", noisy_record(), temperatures=np.linspace(1000, 2000, 20))
    assert not drawn[0].axes[2].texts


def test_bad_paths_are_refused(tmp_path: Path) -> None:
    for name in ("figure.xyz", "no folder/figure.png"):
        with pytest.raises(InputError, match="cannot write figure"):
            density_figure(tmp_path / name, noisy_record())


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(InputError, match="figures"):
        density_figure(tmp_path / "a.png", noisy_record())


def test_description_fits_a_screen_and_says_all() -> None:
    record = noisy_record()
    text = describe(record).text
    assert len(text.splitlines()) <= 24
    for part in ("cuau", "16 Cu + 16 Au", "pair:nn.toml", "8e+07", "median 50", "28 of", " K,", "k_B/atom", "Trust"):
        assert part in text
    distrusted = replace(record, verdict={"trusted": False, "reasons": ["r1", "r2"], "summary": "Do not trust"})
    assert describe(distrusted).text.splitlines()[-2:] == [f"{'':13}- r1", f"{'':13}- r2"]


def test_description_with_little_known() -> None:
    record = noisy_record()
    density = replace(record.density, run_ln_g=record.density.run_ln_g[:1])
    text = describe(replace(record, density=density, diagnostics={}, settings={})).text
    assert "one run only" in text
    assert "28 levels of 601080390 configurations" in describe_exact(EXACT).text


def test_summary_for_programs() -> None:
    values = describe(noisy_record()).values
    assert values["bins_visited"] == 28 and values["verdict"]["trusted"] is True
    assert values["heat_capacity_peak"]["temperature_k"] == pytest.approx(496, rel=0.02)
    assert "histogram" not in values["diagnostics"]
    assert describe_exact(EXACT).values["configurations"] == 601080390
