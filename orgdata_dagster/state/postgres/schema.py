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
# (postgres_tables.py). A session must end within 6 seconds after its machine has failed, also if an answer to it was on
# its way, and a hanging transaction must not block the others.
SESSION = """
SET synchronous_commit = off;
SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '6s';
SET client_connection_check_interval = '2s';
SET idle_in_transaction_session_timeout = '10s';
SET statement_timeout = '30s';
SET client_min_messages = error;
"""

TIDY = f"""
DELETE FROM {SCHEMA}.process p WHERE seen < clock_timestamp() - interval '7 days'
AND pg_try_advisory_xact_lock_shared(number);
DELETE FROM {SCHEMA}.lock WHERE since < clock_timestamp() - interval '7 days'
AND NOT EXISTS (SELECT FROM {SCHEMA}.process WHERE number = lock.process);
"""

TAKE_BACK = f"""
INSERT INTO {SCHEMA}.lock AS mine (name, process, since) SELECT unnest(%s::text[]), %s, clock_timestamp()
ON CONFLICT (name) DO UPDATE SET process = excluded.process
WHERE NOT mine.revoked AND coalesce(mine.process, excluded.process) = excluded.process RETURNING name
"""
