"""Writing back: what a vendor holds is kept equal to the rows of a SELECT on the warehouse (reverse ETL).

How a row travels: `source` copies the rows out of the warehouse. The destination turns each row into a payload, or into
a list of problems (`payloads` and `columns` help). `diff` compares the payloads with what was accepted before
(`sent_rows`). `delivery` sends the rows that differ in batches (`batch`). `journal` records the answers in `sent_rows`
and in the table of results (`results`). `asset` puts these steps together, `figures` shows them, and `component` has
the YAML options that every sync shares.

What differs from vendor to vendor is behind the protocol in `destination`. A vendor's folder implements it.
"""
