"""Foreign text made harmless where it is shown. Knows no other package of ours, and every package may use it."""
