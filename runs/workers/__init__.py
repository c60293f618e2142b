"""The worker farm: registry, placement of shards, and leases."""
