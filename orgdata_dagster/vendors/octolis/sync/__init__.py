"""Writing to octolis: datasets and webhooks as destinations of `orgdata_dagster.writeback`."""
