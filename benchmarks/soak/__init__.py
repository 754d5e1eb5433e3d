"""`make soak`: orgdata under faults, kills, company and size; every table stays equal to the truth, nobody hangs.

Here: the conditions, a module per section, and the table. Keep out: what bench needs too (outside/).
"""
