"""What is drawn for each conversation: its scenario, model and waits, from its own seed."""
