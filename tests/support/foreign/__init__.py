"""Servers of other makers (tests/peers/ has the programs): started, and tried by what is known of each."""
