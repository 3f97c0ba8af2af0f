"""Selections of configurations, and data sets made of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standin_campaign import (
    CELL,
    some,
    standin_configuration,
    total_energies,
)

from lsms_bridge.campaign import Campaign
from lsms_bridge.canonical import as_text, from_text, mapping_from, representatives
from lsms_bridge.collection import collect_dataset
from lsms_bridge.selection import Selection, select
from wanglandau.errors import InputError
from wanglandau.systems import System


@pytest.mark.parametrize("kind", ["balanced", "ordered", "lowest", "highest"])
def test_selections_hold_new_orbits_only(cuau: System, kind: Any) -> None:
    from wanglandau.oracle_registry import load_oracle

    known = {as_text(row) for row in representatives(cuau.lattice, some(cuau.lattice))}
    chosen = Selection(kind, 12, tuple(range(2, 7)), 1)
    rows = select(cuau.lattice, chosen, lambda row: as_text(row) in known, load_oracle("surrogate", cuau))
    texts = [as_text(row) for row in representatives(cuau.lattice, rows)]
    n_expected = 5 if kind == "ordered" else 12  # there are no more orbits that small
    assert len(set(texts)) == len(texts) == n_expected and not set(texts) & known
    assert set(rows.sum(axis=1).tolist()) <= {2, 3, 4, 5, 6}
    assert texts == [as_text(row) for row in rows]


def test_data_set_of_a_campaign(tmp_path: Path) -> None:
    rows = some(CELL, 2)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(rows[3:5], "test")
        with pytest.raises(InputError, match="pure species have not been computed"):
            collect_dataset(campaign, "cuau")
        base_records = campaign.compute(rows, "test")
        base = collect_dataset(campaign, "cuau")
    assert len(base) == len({record.occupations for record in base_records}) == len(np.unique(base.orbit))
    np.testing.assert_allclose(base.energy, total_energies(CELL, base.occupations), atol=3e-6, rtol=0)
    with Campaign(CELL, standin_configuration(tmp_path / "more"), known=base) as campaign:
        more = some(CELL, 3)
        campaign.compute(more, "more")
        merged = collect_dataset(campaign, "cuau", base)
        assert campaign.usage.computed == len(merged) - len(base)
    np.testing.assert_array_equal(merged.energy[: len(base)], base.energy)
    assert len(np.unique(merged.orbit)) == len(merged) > len(base)
    assert set(merged.source) == {"test", "more", "pure"} - ({"pure"} if "pure" not in base.source else set())


def test_site_values_follow_the_sites(cuau: System) -> None:
    row = some(cuau.lattice)[16]
    values = np.arange(32.0)
    for operation in cuau.lattice.symmetry[::97]:
        image = row[operation]
        order = mapping_from(cuau.lattice, row, image)
        np.testing.assert_array_equal(row[order], image)
        assert sorted(values[order]) == sorted(values)
    assert as_text(from_text("0110")) == "0110"
