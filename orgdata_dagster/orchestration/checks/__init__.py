"""The checks that every table has: which there are (`specs`), and what a run says of them (`landed`, `refused`).

Here: modules of one concern each. Add here: a check for tables of all vendors. Keep out: a vendor's own comparison with
its figures (its folder), and refusing itself, which the commit does (warehouse/).
"""
