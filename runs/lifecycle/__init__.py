"""The states of runs and shards, how a run ended, and changes of its load while it runs."""
