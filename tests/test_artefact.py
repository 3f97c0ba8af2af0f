"""Artefacts: what goes in comes out, and nothing else is let in."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from surrogate.artefact import MAX_HEADER, Artefact, Card, describe_lattice, load_artefact, save_artefact
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import System

ARRAYS = {"weight": np.arange(12, dtype=np.float32).reshape(3, 4), "shift": np.array(0.25), "table": np.eye(3)}


@pytest.fixture
def card(cuau: System) -> Card:
    return Card(
        architecture="dense",
        tasks=["energy", "charge"],
        network={"width": 200},
        species=["Cu", "Au"],
        lattice=describe_lattice(cuau.lattice),
        reference_energies=[-3304.85, -38074.58],
        dataset={"digest": "0" * 64, "orbits": [0, 1, 24]},
        training={"seed": 0},
        metrics={"by_composition": {"16": {"rmse": 0.1}}, "charge_r2": None},
    )


@pytest.fixture
def file(tmp_path: Path, card: Card) -> Path:
    path = tmp_path / "model.safetensors"
    save_artefact(path, ARRAYS, card)
    return path


def with_card(path: Path, text: str) -> None:
    path.write_bytes(safetensors.numpy.save(ARRAYS, {"card": text}))


def test_round_trip(file: Path, card: Card) -> None:
    found = load_artefact(file)
    assert found.card == card
    assert found.arrays.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], values)
        assert found.arrays[name].dtype == values.dtype and found.arrays[name].shape == values.shape
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_same_model_same_bytes(file: Path, card: Card) -> None:
    content = file.read_bytes()
    save_artefact(file, dict(reversed(ARRAYS.items())), card)
    assert file.read_bytes() == content


def test_digest_depends_on_what_predictions_depend_on(card: Card) -> None:
    digest = Artefact(ARRAYS, card).digest()
    assert Artefact(ARRAYS, dataclasses.replace(card, metrics={}, versions={})).digest() == digest
    assert Artefact(ARRAYS | {"shift": np.array(0.26)}, card).digest() != digest
    assert Artefact(ARRAYS, dataclasses.replace(card, reference_energies=[0.0, 0.0])).digest() != digest


def test_failed_write_keeps_the_old_file(file: Path, card: Card) -> None:
    with pytest.raises(InputError, match="cannot write"):
        save_artefact(file.parent / "none" / "model.safetensors", ARRAYS, card)
    with pytest.raises(ValueError):
        save_artefact(file, ARRAYS, dataclasses.replace(card, metrics={"rmse": float("nan")}))
    assert load_artefact(file).card == card


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_truncated_files_are_refused(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        load_artefact(file)


def test_flipped_header_bytes_never_crash(file: Path, card: Card) -> None:
    content = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(8 + 400, size=200):
        damaged = content.copy()
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            load_artefact(file)
        except InputError as error:
            assert "\n" not in str(error)


def test_headers_that_claim_to_be_huge_are_refused(file: Path) -> None:
    file.write_bytes((2**62).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(InputError, match="truncated"):
        load_artefact(file)
    file.write_bytes((MAX_HEADER + 1).to_bytes(8, "little") + b" " * (MAX_HEADER + 1))
    with pytest.raises(InputError, match="limit"):
        load_artefact(file)


def test_pickles_are_not_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (marker,))

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError):
        load_artefact(path)
    assert not marker.exists()


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(safetensors.numpy.save(ARRAYS))
    with pytest.raises(InputError, match="no card"):
        load_artefact(path)
    with pytest.raises(InputError, match="cannot read"):
        load_artefact(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "schema_version 2"),
        ({"tasks": ["entropy"]}, "tasks"),
        ({"tasks": "energy"}, "'tasks'"),
        ({"reference_energies": [0.0]}, "reference_energies"),
        ({"reference_energies": ["a", "b"]}, "reference_energies"),
        ({"lattice": {}}, "shell_distances"),
        ({"surprise": 1}, "unknown entry 'surprise'"),
    ],
    ids=str,
)
def test_bad_cards_are_refused(file: Path, card: Card, change: dict, words: str) -> None:
    with_card(file, json.dumps(json.loads(card.to_json()) | change))
    with pytest.raises(InputError, match=words):
        load_artefact(file)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema_version": NaN}', "[" * 100_000])
def test_cards_that_are_no_cards_are_refused(file: Path, text: str) -> None:
    with_card(file, text)
    with pytest.raises(InputError, match="card"):
        load_artefact(file)


def test_missing_entry_is_named(file: Path, card: Card) -> None:
    entries = json.loads(card.to_json())
    del entries["species"]
    with_card(file, json.dumps(entries))
    with pytest.raises(InputError, match="no entry 'species'"):
        load_artefact(file)


def test_arrays_with_nan_are_refused(file: Path, card: Card) -> None:
    save_artefact(file, ARRAYS | {"weight": np.array([1.0, np.nan])}, card)
    with pytest.raises(InputError, match="NaN"):
        load_artefact(file)


def test_lattices_that_do_not_fit_are_refused(card: Card, cuau: System, fept: System) -> None:
    card.check_fits(cuau.lattice, any_cell=False)
    larger = Lattice.cubic("fcc", ("Cu", "Au"), 3.87 / 0.529177210544, (3, 2, 2))
    card.check_fits(larger, any_cell=True)
    with pytest.raises(InputError, match=r"32 sites and fits only that very cell.*48 sites"):
        card.check_fits(larger, any_cell=False)
    with pytest.raises(InputError, match="Fe-Pt"):
        card.check_fits(fept.lattice, any_cell=True)
    bcc = Lattice.cubic("bcc", ("Cu", "Au"), 5.7, (2, 2, 2))
    with pytest.raises(InputError, match=r"12 x .* 8 x"):
        card.check_fits(bcc, any_cell=True)
    stretched = Lattice.cubic("fcc", ("Cu", "Au"), 3.9 / 0.529177210544, (2, 2, 2))
    with pytest.raises(InputError, match="does not fit"):
        card.check_fits(stretched, any_cell=True)
    shuffled = Lattice(cuau.lattice.species, cuau.lattice.cell, cuau.lattice.positions[::-1])
    with pytest.raises(InputError, match="very cell"):
        card.check_fits(shuffled, any_cell=False)
