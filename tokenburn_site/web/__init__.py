"""The site's own pages, the root of its API, and error responses."""
