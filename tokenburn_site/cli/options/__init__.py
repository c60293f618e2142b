"""Options of `burn`: a module per group. Each option is declared once, by `declare.own` or `declare.of_load`."""
