"""What the red team did once: `table.md` names the tests that hold each fault, and `tests/e2e/test_red_team.py` plays
the attacks in a chain."""
