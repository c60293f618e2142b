"""Services on this machine: finding their programs, starting them, and never leaving one behind."""
