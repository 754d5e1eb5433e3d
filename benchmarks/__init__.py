"""Measurements of the whole product from outside: `make bench`, `make soak`, and one script per special question."""
