"""Which files of an old data folder are what."""

from __future__ import annotations

from pathlib import Path

import pytest
from vpin_store.history import Step

from vpin.importing.folder import Folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_profiles_and_their_backups(tmp_path: Path):
    touch(
        tmp_path,
        "u_old@x.org.user",
        "a@x.org.Blynk.user",
        "b.c@x.org.blynkqwe.user",
        "notes.txt",
        "deleted/d@x.org.Blynk.user",
    )
    touch(
        tmp_path,
        *(f"backup/a@x.org.Blynk.user.2020-0{n}-01" for n in (1, 3, 2)),
        *(f"backup/gone@x.org.Blynk.user.2020-0{n}-01" for n in (1, 3)),
        "backup/d@x.org.Blynk.user.2020-01-01",
    )
    touch(tmp_path, "backup/a@x.org.Blynk.user.bak", "backup/readme")
    folder = Folder(tmp_path)
    assert [(file.path.name, file.email) for file in folder.profiles] == [
        ("a@x.org.Blynk.user", "a@x.org"),
        ("b.c@x.org.blynkqwe.user", "b.c@x.org"),
        ("u_old@x.org.user", "old@x.org"),
    ]
    assert [path.suffix for path in folder.profiles[0].backups] == [".2020-03-01", ".2020-02-01", ".2020-01-01"]
    assert {name: path.name for name, path in folder.lost.items()} == {
        "d@x.org.Blynk.user": "d@x.org.Blynk.user.2020-01-01",
        "gone@x.org.Blynk.user": "gone@x.org.Blynk.user.2020-03-01",
    }
    assert [name for name in folder.lost if folder.was_deleted(name)] == ["d@x.org.Blynk.user"]


def test_averages(tmp_path: Path):
    names = ("history_1-0_v5_minute.bin", "history_-3-100_a255_daily.bin", "history_1-0_x5_minute.bin", "other")
    touch(tmp_path, *(f"data/a@x.org/{name}" for name in names), "data/a@x.org_blynkqwe/history_1-0_d1_hourly.bin")
    touch(tmp_path, "data/reset_temp.bin", "data/stray.bin")
    folder = Folder(tmp_path)
    files, others = folder.history(folder.history_name("a@x.org", "Blynk"))
    assert [tuple(file[1:]) for file in files] == [
        (-3, 100, ord("a"), 255, Step.DAY),
        (1, 0, ord("v"), 5, Step.MINUTE),
    ]
    assert [path.name for path in others] == ["history_1-0_x5_minute.bin", "other"]
    files, _ = folder.history(folder.history_name("A@x.org", "blynkqwe"))
    assert [tuple(file[1:]) for file in files] == [(1, 0, ord("d"), 1, Step.HOUR)]
    assert folder.history(folder.history_name("nobody@x.org", "Blynk")) == ([], [])
    assert [path.name for path in folder.unfinished] == ["reset_temp.bin"]


def test_a_folder_that_is_none(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        Folder(tmp_path / "nothing")
    assert Folder(tmp_path).profiles == []
