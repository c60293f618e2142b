"""Before a run: validation, estimates, and files that a load is read from."""
