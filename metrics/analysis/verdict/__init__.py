"""The verdict on a run, split by what its reasons refer to."""
