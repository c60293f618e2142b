"""The definition of a scenario: schema, rows of data, resource limits. Pure."""
