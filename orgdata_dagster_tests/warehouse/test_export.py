"""Parquet files of tables: they equal the tables, and only changed parts are written again."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse import export as exporting
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.export import Exported, export
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig

NEXT_DAY = "2026-03-02"


def files(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("rows.parquet")}


def exported(folder: Path) -> list[tuple[object, ...]]:
    pattern = f"{folder}/acme/items/**/rows.parquet"
    return duckdb.sql(f"SELECT id, name, _orgdata_partition FROM read_parquet('{pattern}') ORDER BY ALL").fetchall()


def test_the_files_equal_the_table(rig: Rig, tmp_path: Path) -> None:
    rig.land("id,name\n1,one\n2,\n")
    rig.land("id,name\n3,three\n", partition=NEXT_DAY)

    done = export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    assert done == Exported(ITEMS.table, written=2, unchanged=0, rows=3)
    assert exported(tmp_path / "out") == [
        (1, "one", "2026-03-01"),
        (2, None, "2026-03-01"),
        (3, "three", NEXT_DAY),
    ]
    assert set(files(tmp_path / "out")) == {
        "acme/items/partition=2026-03-01/rows.parquet",
        "acme/items/partition=2026-03-02/rows.parquet",
    }


def test_only_changed_files_are_written_again(rig: Rig, tmp_path: Path) -> None:
    rig.land("id,name\n1,one\n")
    rig.land("id,name\n2,two\n", partition=NEXT_DAY)
    export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))
    before = files(tmp_path / "out")

    assert export(rig.warehouse, ITEMS.table, str(tmp_path / "out")).written == 0
    rig.land("id,name\n2,zwei\n", partition=NEXT_DAY)
    done = export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    assert (done.written, done.unchanged) == (1, 1)
    assert exported(tmp_path / "out")[-1] == (2, "zwei", NEXT_DAY)
    first = "acme/items/partition=2026-03-01/rows.parquet"
    assert files(tmp_path / "out")[first] == before[first]


def test_a_new_column_reaches_every_file(rig: Rig, tmp_path: Path) -> None:
    rig.land("id,name\n1,one\n")
    export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    rig.land("id,name,colour\n2,two,red\n", partition=NEXT_DAY)
    done = export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    assert done.written == 2
    first = tmp_path / "out/acme/items/partition=2026-03-01/rows.parquet"
    assert duckdb.sql(f"SELECT colour FROM '{first}'").fetchall() == [(None,)]


def test_deleted_rows_disappear_from_the_files(rig: Rig, tmp_path: Path) -> None:
    rig.land("id,name\n1,one\n")
    rig.land("id,name\n2,two\n", partition=NEXT_DAY)
    export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))
    with rig.warehouse.writing() as connection:
        connection.execute(f"DELETE FROM acme.items WHERE _orgdata_partition = '{NEXT_DAY}'")

    done = export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    assert (done.written, done.rows) == (1, 1)
    assert exported(tmp_path / "out") == [(1, "one", "2026-03-01")]
    assert export(rig.warehouse, ITEMS.table, str(tmp_path / "out")).written == 0


def test_an_interrupted_export_is_completed_by_the_next_one(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.land("id,name\n1,one\n")
    rig.land("id,name\n2,two\n", partition=NEXT_DAY)
    with monkeypatch.context() as broken:
        broken.setattr(exporting, "EXPORTED", "\0")  # the last file, which no disk takes
        with pytest.raises((WarehouseUnavailable, ValueError, duckdb.Error)):
            export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))

    assert export(rig.warehouse, ITEMS.table, str(tmp_path / "out")).written == 2
    assert len(exported(tmp_path / "out")) == 2


def test_a_folder_that_is_not_writable_is_explained_in_one_sentence(rig: Rig, tmp_path: Path) -> None:
    rig.land("id,name\n1,one\n")
    (tmp_path / "out").write_text("not a folder")

    with pytest.raises(WarehouseUnavailable, match=r"^Cannot export acme\.items to .*: Not a directory\.$"):
        export(rig.warehouse, ITEMS.table, str(tmp_path / "out"))
