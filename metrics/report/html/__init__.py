"""The report as one HTML file: templates and what they are given. No script, nothing from elsewhere, light and dark."""
