"""The workers of a pull: they are forked from the command while that is safe, and end with it."""

import json
import os
import signal
from pathlib import Path

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.waiting import wait_until

MAIN = "orgdata_dagster_tests.integration.forking:main"


def test_workers_are_forked_while_there_is_one_thread_and_no_database_open(home: Home, sandbox: Sandbox) -> None:
    """In a home that has everything: an instance with runs, a warehouse, a file of a rate limit."""
    assert home.orgdata("pull").status == 0
    pull = home.start("pull", "--from", today(back=1), main=MAIN)
    assert pull.wait().status == 0
    [told] = Path(home.folder.parent).glob("command-*/forks")
    forks = [json.loads(line) for line in told.read_text().splitlines()]
    assert len(forks) == len(sandbox.institution_analytics.data_sets)  # one worker per table, none later on
    for fork in forks:
        assert (fork["threads"], fork["tasks"]) == (1, 1)
        assert [file for file in fork["files"] if str(home.folder) in file] == []
        assert not fork["pandas"]  # DuckDB would import it, and nothing in these runs needs it


def test_each_worker_ends_with_a_killed_command_whatever_the_others_do(home: Home, sandbox: Sandbox) -> None:
    """Workers inherit each other's pipes: a stopped worker must not keep another one alive."""
    sandbox.institution_analytics.page_rows = 50
    pull = home.start("pull", "--from", today(back=5))
    wait_until(lambda: sandbox.log.entries() or not pull.running, "a request")
    workers = sorted(pid for pid in pull.group() if pid != pull.pid)
    for pid in workers[1:]:
        os.kill(pid, signal.SIGSTOP)
    pull.kill()
    wait_until(lambda: workers[0] not in pull.group(), "the end of the worker", seconds=20)
    pull.kill_all()


def test_many_tables_share_runs_and_one_that_fails_takes_no_other_with_it(home: Home, sandbox: Sandbox) -> None:
    tables = [{"name": f"users_{number:02d}", "data_set": "users", "key": ["id"]} for number in range(9)]
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "nothing"}, *tables]))
    pull = home.orgdata("pull", "--json")
    assert pull.status == 1, pull.everything
    outcomes = json.loads(pull.out)
    assert [(each["asset"], "400" in each["error"]) for each in outcomes if each["error"]] == [
        ("institution_analytics/nothing", True)
    ]
    shared = [each for each in outcomes if each["run_id"] == outcomes[0]["run_id"]]
    assert len(shared) == 2
    assert len({each["run_id"] for each in outcomes}) == 8  # two, two, then one at a time
    [(counted,)] = home.sql("SELECT count(DISTINCT table_name) FROM _orgdata.loads WHERE status = 'landed'")
    assert counted == 9
    sandbox.log.clear()
    assert home.orgdata("pull", "--resume").status == 1
    assert {entry.query["data_set"] for entry in sandbox.log.entries()} == {"nothing"}
