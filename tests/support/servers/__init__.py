"""Servers and proxies that tests talk to, each under full control."""
