"""Who may test what, with real databases and doors."""
