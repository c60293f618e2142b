"""The report of a run, and the report as text, Markdown and JUnit XML. Pure."""
