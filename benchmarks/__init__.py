"""Measurements and trials of the whole product: `make bench`, `make soak`, and scripts with one question each."""
