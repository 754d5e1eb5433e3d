"""kill -9 of `orgdata sync` at any moment, then one clean run: the vendor has what the source has, and what it may have
been sent twice is on record."""

from __future__ import annotations

import os
import random
import time

import yaml

from orgdata_dagster import settings
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import Octolis
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.vendors.octolis.sync.rig import COLUMNS, CONTACTS, SYNC, Counting
from orgdata_dagster_tests.waiting import wait_until

KILLS = int(os.environ.get("ORGDATA_TEST_KILLS", "2"))
PHASES = (3, 1, 0, 9, 6, 2)  # so many requests are begun: slow machines and fast ones meet the same phases
ROWS = 100


def test_killed_syncs_lose_nothing_and_mark_what_they_repeat(home: Home) -> None:
    people = Counting("people", COLUMNS, (("email",),))
    limits = {"points_per_second": 1e6, "points_per_minute": 1e6, "account_points_per_minute": 1e6}
    attributes = {**SYNC, "batch_size": 10, "limits": limits}
    home.write_project(octolis=yaml.safe_dump({"type": "orgdata_dagster.OctolisSync", "attributes": attributes}))
    write(home, CONTACTS.format(rows=ROWS))
    chance = random.Random(7)
    with Sandbox(Octolis([people], limits=UNLIMITED)) as sandbox:
        home.set(**environment(sandbox.url))
        for number in range(KILLS):
            write(home, f"UPDATE marts.contacts SET n = {1000 * number} + id")  # every row, so that n tells the version
            sandbox.log.clear()
            sync, requests = home.start("sync", "out"), PHASES[number % len(PHASES)]
            wait_until(lambda n=requests, sync=sync: len(sandbox.log.entries()) >= n or not sync.running)
            time.sleep(chance.uniform(0, 0.1))
            (sync.kill_all if number % 2 else sync.kill)()
            wait_until(lambda sync=sync: not sync.group())
        done = home.orgdata("sync", "out")
        assert done.status == 0, done.everything
        write(
            home, "UPDATE marts.contacts SET n = 7 WHERE id = 7; UPDATE marts.contacts SET n = 3000000000 WHERE id = 8"
        )
        sandbox.log.clear()
        shown = home.orgdata("sync", "out", "--dry-run")
        assert (shown.status, sandbox.log.entries()) == (0, []), shown.everything
        for text in ("Dry run: nothing was sent.", "to_send", '"p7@example.org"', "n: must be between"):
            assert text in shown.out
        write(home, f"UPDATE marts.contacts SET n = {1000 * (KILLS - 1)} + id")

    source = dict(home.sql("SELECT email, n FROM marts.contacts"))
    assert {row["email"]: row["n"] for row in people.truth()} == source
    told = {key for (key,) in home.sql("SELECT key FROM octolis.out_results WHERE sent_again IS NOT NULL")}
    twice = {f'["{email}"]' for (email, _), times in people.versions.items() if times > 1}
    assert twice - told == set()
    written = dict(home.sql("SELECT key, max(masterid) FROM octolis.out_results WHERE outcome = 'written' GROUP BY 1"))
    assert {f'["{row["email"]}"]': row["__masterid__"] for row in people.truth()} == written
    assert home.sql("SELECT count(*) FROM _orgdata.sync_accepted") == [(ROWS,)]
    assert home.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]
    assert not list(settings.staging().glob("run-*"))


def write(home: Home, sql: str) -> None:
    with home.warehouse.writing() as connection:
        connection.execute(sql)
