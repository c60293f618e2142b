"""Options of `burn` by what they are about. Each module: `add(parser)` and `load_data(given)`."""
