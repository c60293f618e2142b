"""The template language of scenarios: checked and compiled before the run, bounded during it. Pure."""
