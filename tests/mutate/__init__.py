"""Do the tests notice a wrong line? `make mutate` changes one at a time and runs them."""
