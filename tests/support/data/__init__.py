"""Data that tests expect or feed: queues, curves, budgets, distributions."""
