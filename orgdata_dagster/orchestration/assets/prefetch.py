"""Working on one item while the next one is being fetched.

Here: `ahead`. Keep out: anything that knows pages or vendors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order; the next one is made in a thread while the caller works on the last one.

    An exception of the source is raised where its item would have come.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]
