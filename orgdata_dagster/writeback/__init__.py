"""Writing back to octolis: a dataset, or a webhook, is kept equal to rows of the warehouse.

The way of a row: `source` copies the rows out of the warehouse, `validation` turns each into a payload or a list of
problems, `plan` compares it with the ledger and says what is to be done, `delivery` sends it in batches, `journal`
records its fate. `asset` puts these together, `report` shows them, `component` is the YAML. Webhooks: `webhook`.
"""
