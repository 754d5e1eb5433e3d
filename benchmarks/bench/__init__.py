"""`make bench`: whole commands, from start to exit, compared with a bare loop and with dlt.

Here: what is measured (workloads.py), what it is compared with (bare.py, tuned_dlt.py), what is measured only on
request (at_size.py, idle.py), and the table of results (report.py).
"""
