"""`make bench`: the whole command, from start to exit, beside a bare loop and beside dlt.

Here: what is measured (workloads.py), with whom it is compared (bare.py, tuned_dlt.py), what is
measured only if it is named (at_size.py, idle.py), and the table (report.py).
"""
