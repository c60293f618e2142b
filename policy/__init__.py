"""Who may test what, how hard, and the switch that stops everything. See docs/policy.md."""
