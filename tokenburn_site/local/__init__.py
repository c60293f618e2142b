"""Services on this machine: finds their programs, starts them, and ends all of them."""
