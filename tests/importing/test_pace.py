"""What an import costs: processor time, which says the same on a machine that others use as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from vpin_store import open_store, upgrade

from importing import generated
from vpin.importing.folder import Folder
from vpin.importing.taking import FULL_COST, Import

ACCOUNTS = 2 * FULL_COST
MOST_MS = 9.0
"""A profile, passwords and history included. Two cores have 10 ms for 200 profiles a second; the database takes 1 to 2."""


@pytest.mark.integration
@pytest.mark.anyio
async def test_a_profile_costs_so_little_that_two_cores_take_200_a_second(tmp_path: Path, postgres_database: str):
    generated.generate(tmp_path / "old", ACCOUNTS)
    await upgrade(postgres_database)
    async with open_store(postgres_database) as store:
        report = await Import(Folder(tmp_path / "old"), store, initial_energy=1, write=True).run()
    assert report.changed == ACCOUNTS
    assert report.counts["widgets"] == 38 * ACCOUNTS
    assert report.counts["points"] == 2 * sum(generated.POINTS.values()) * ACCOUNTS
    assert report.cpu_seconds / ACCOUNTS * 1000 < MOST_MS
