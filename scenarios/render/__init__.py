"""From a scenario to the messages of one conversation: compiled once, executed for each session. Pure."""
