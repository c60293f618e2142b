"""Records of a load: the ledger, lines of turns, the table of turns in flight."""
