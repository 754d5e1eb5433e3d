"""Why a range of time is a gap, in the words of the coverage.

Here: the sentences; `records` is the number of rows that were returned. Add here when: the walk finds another reason.
Keep out: when each applies (walk.py).
"""

TOO_MANY = "more than {records} rows at one instant: the vendor's page cannot hold them all"
TOO_COARSE = (
    "{records} rows lie within one unit of api.precision, and no request returns only some of them: the vendor may "
    "have more than it returns. Set a finer api.precision if the vendor accepts it"
)
UNPROVEN = (
    "{records} rows are printed with the same instant, and a second request returned only some of them: the vendor may "
    "store finer instants than it prints, and a page is too small to show them all"
)
CONTRADICTED = "the vendor returned rows here, and none when they were requested again"
LOCAL = (
    "the times have no zone, and a request for a row's own time in UTC does not return it: the vendor prints local "
    "times, or returns no rows although it has some. Times must be in UTC or state their zone"
)
