"""`python -m orgdata_dagster.cli` is the command `orgdata`."""

from orgdata_dagster.cli import main

main()
