"""How the answers of a target are read: paths, kinds of events, what is saved. No I/O."""
