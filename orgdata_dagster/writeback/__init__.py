"""Writing back (reverse ETL): keeping a vendor's records equal to the rows of a SELECT on the warehouse.

The path of a row: `source` copies the rows from the warehouse. The destination turns each row into a payload, or into a
list of problems (`payloads` and `columns` help). `diff` compares the payloads with those that were accepted before
(`row_states`). `delivery` sends the rows that differ in batches (`batch`). `journal` records the answers in
`row_states` and in the table of results (`results`). `asset` combines these steps, `figures` shows them, and
`component` has the YAML options of every sync.

Everything that differs between vendors is behind the protocol in `destination`, which a vendor's folder implements.
"""
