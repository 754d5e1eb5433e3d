"""The only imports of Dagster's private modules, each with its reason and a fallback for a Dagster without it."""
