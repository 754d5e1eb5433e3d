"""A warehouse made when the engine was a part of octolis: a sync goes on where it was.

Here: the tables as they were then, in literal SQL. Never adapt them to the code of today.
"""

from __future__ import annotations

from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path

from orgdata_dagster_tests.vendors.octolis.sync.rig import Rig

BEFORE = """
CREATE SCHEMA _orgdata; CREATE SCHEMA octolis;
CREATE TABLE _orgdata.sync_accepted (sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, masterid VARCHAR,
    run_id VARCHAR, accepted_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE _orgdata.sync_rejected (sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, rest VARCHAR,
    rejected_by VARCHAR, reason VARCHAR, run_id VARCHAR, rejected_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE _orgdata.sync_in_flight (sync VARCHAR, target VARCHAR, key VARCHAR, hash VARCHAR, batch_id VARCHAR,
    run_id VARCHAR, again VARCHAR, begun_at TIMESTAMP WITH TIME ZONE);
CREATE TABLE octolis.out_results (outcome VARCHAR, row BIGINT, key VARCHAR, payload_hash VARCHAR, masterid VARCHAR,
    merged_masterids VARCHAR[], ignored_columns VARCHAR[], reason VARCHAR, sent_again VARCHAR, batch_id VARCHAR,
    position INTEGER, attempts INTEGER, apigw_requestid VARCHAR, traceparent VARCHAR,
    _orgdata_loaded_at TIMESTAMP WITH TIME ZONE, _orgdata_run_id VARCHAR);
INSERT INTO _orgdata.sync_accepted VALUES ('out', 'people', '["p1@example.org"]', '{accepted}', 'm1', 'r0', now());
INSERT INTO _orgdata.sync_rejected VALUES
    ('out', 'people', '["p2@example.org"]', '{refused}', NULL, 'vendor', 'refused', 'r0', now());
INSERT INTO _orgdata.sync_in_flight VALUES ('out', 'people', '["p3@example.org"]', 'h3', 'b0', 'r0', NULL, now());
INSERT INTO octolis.out_results VALUES ('written', 2, '["p1@example.org"]', '{accepted}', 'm1', [], [], NULL, NULL,
    'b0', 0, 1, 'id', '00-', now(), 'r0');
"""


PAYLOADS = {
    1: '{"born_at":"1990-01-02 00:00:00","email":"p1@example.org","n":1,"phone":"01","score":0.13,"vip":false}',
    2: '{"born_at":"1990-01-03 00:00:00","email":"p2@example.org","n":2,"phone":"02","score":0.25,"vip":false}',
}


def hash_of(number: int) -> str:
    """The hash of a row's payload, as it was computed then."""
    return blake2b(PAYLOADS[number].encode(), digest_size=16).hexdigest()


def test_what_was_accepted_refused_or_in_flight_still_is(own_home: Path, stack: ExitStack) -> None:
    assert own_home
    rig = Rig(stack, rows=5)
    rig.write(BEFORE.format(accepted=hash_of(1), refused=hash_of(2)))
    done = rig.run()
    assert done.success, done.failure
    figures = ("unchanged", "refused_before_and_unchanged", "to_send", "written", "sent_again")
    assert [done.metadata[name] for name in figures] == [1, 1, 3, 3, 1]
    results = rig.sql("SELECT key, masterid IS NULL, sent_again IS NULL FROM octolis.out_results ORDER BY ALL")
    assert results == [
        ('["p0@example.org"]', False, True),
        ('["p1@example.org"]', False, True),
        ('["p3@example.org"]', False, False),
        ('["p4@example.org"]', False, True),
    ]
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]
