"""Lets `python -m overlay` start the server; knows nothing else."""

from overlay.serve import main

main()
