"""The checks that every table has: their specs (`specs`), and their results (`results`).

Here: one module per concern. Add here when: there is a check for the tables of all vendors. Keep out: reconciliation
with a vendor's own figures (its folder), and rejecting data, which the commit does (warehouse/).
"""
