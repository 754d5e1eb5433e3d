import os
import signal
import threading
import time
from pathlib import Path

from orgdata_dagster.state.file_lock import holder, locked


def test_a_stream_of_overlapping_readers_does_not_starve_a_writer(tmp_path: Path) -> None:
    """flock alone grants shared locks past a waiting exclusive one: a writer once waited for 40 seconds."""
    path, stop, written = tmp_path / "lock", threading.Event(), []

    def read(entered: threading.Event) -> None:
        with locked(path, shared=True):
            entered.set()
            time.sleep(0.02)
            if not stop.is_set():
                follower = threading.Event()
                threading.Thread(target=read, args=(follower,)).start()
                follower.wait(0.1)  # it does not come in where a writer waits before it

    def write() -> None:
        for number in range(3):
            with locked(path, shared=False):
                written.append(number)

    first = threading.Event()
    threading.Thread(target=read, args=(first,)).start()
    assert first.wait(10)
    writer = threading.Thread(target=write)
    writer.start()
    writer.join(4)
    in_time = len(written)
    stop.set()
    writer.join(10)
    assert in_time == 3


def test_readers_share_the_lock_and_a_writer_has_it_alone(tmp_path: Path) -> None:
    path, inside, seen = tmp_path / "lock", [0, 0], []
    mutex = threading.Lock()

    def work(shared: bool) -> None:
        for _ in range(10):
            with locked(path, shared=shared):
                with mutex:
                    inside[shared] += 1
                    seen.append(tuple(inside))
                time.sleep(0.002)
                with mutex:
                    inside[shared] -= 1

    threads = [threading.Thread(target=work, args=(shared,)) for shared in (True, True, True, False, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(writers == 0 or (writers, readers) == (1, 0) for writers, readers in seen)
    assert max(readers for _, readers in seen) > 1


def test_only_a_writer_is_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, shared=True):
        assert holder(path) is None
    with locked(path, shared=False):
        assert holder(path) is not None
    assert holder(path) is None


def test_a_child_that_has_a_copy_of_the_file_does_not_keep_the_lock(tmp_path: Path) -> None:
    """As every child process does between its fork and its exec."""
    path = tmp_path / "lock"
    with locked(path, shared=False):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with locked(path, shared=False, patience=0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
