"""The tables of the shared state, and the settings of its sessions.

Here: SQL that is the same for every process. Add here when: the state has another table. Keep out: the tables of a rate
limit, which have a schema of their own (postgres_tables.py).
"""

from __future__ import annotations

SCHEMA = "orgdata_state"
KEY_OF_SET_UP = 7_046_029_254_386_353  # an advisory lock; the number means nothing

SET_UP = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.process (
    number BIGINT PRIMARY KEY, identity TEXT NOT NULL, seen TIMESTAMPTZ NOT NULL) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {SCHEMA}.lock (
    name TEXT PRIMARY KEY, process BIGINT, since TIMESTAMPTZ, revoked BOOLEAN NOT NULL DEFAULT false)
    WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {SCHEMA}.note (
    kind TEXT, key TEXT, text TEXT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, key));
"""

# A commit need not wait for the disk, because after a crash of the server the past counts as unknown
# (postgres_tables.py). A session must end within 6 seconds after its machine has failed, also if an answer to it was
# on its way, and a hanging transaction must not block the others. A user or a database may have other defaults, but
# an idle session must keep its locks, and a transaction that has waited for its turn must see what the others have
# committed.
SESSION = """
SET synchronous_commit = off;
SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '6s';
SET client_connection_check_interval = '2s';
SET idle_in_transaction_session_timeout = '10s';
SET statement_timeout = '30s';
SET idle_session_timeout = 0;
SET lock_timeout = 0;
SET default_transaction_isolation = 'read committed';
SET client_min_messages = error;
"""

# Only some at a time: each row is probed with a lock that ends with the statement, and a server has a limited number of
# them. The subquery with LIMIT keeps the server from probing other rows.
TIDY = f"""
DELETE FROM {SCHEMA}.process WHERE number IN (
    SELECT number FROM (
        SELECT number FROM {SCHEMA}.process WHERE seen < clock_timestamp() - interval '7 days' LIMIT 200
    ) AS old WHERE pg_try_advisory_xact_lock_shared(number));
DELETE FROM {SCHEMA}.lock WHERE since < clock_timestamp() - interval '7 days'
AND NOT EXISTS (SELECT FROM {SCHEMA}.process WHERE number = lock.process);
"""

TAKE_BACK = f"""
INSERT INTO {SCHEMA}.lock AS mine (name, process, since) SELECT unnest(%s::text[]), %s, clock_timestamp()
ON CONFLICT (name) DO UPDATE SET process = excluded.process
WHERE NOT mine.revoked AND coalesce(mine.process, excluded.process) = excluded.process RETURNING name
"""
