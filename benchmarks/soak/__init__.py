"""`make soak`: orgdata under faults, kills, concurrent load and large inputs. Every table must equal the truth.

Here: the conditions, with one module per section, and the table of results. Keep out: what bench also needs (outside/).
"""
