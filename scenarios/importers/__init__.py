"""Turns names, files of many formats and prompts into validated scenarios and data pools."""

from scenarios.importers.files import Wanted
from scenarios.importers.library import SAMPLES, library, library_names
from scenarios.importers.own_files import given_file
from scenarios.importers.pools import check_attached, load_pool, of_header, read_pool
from scenarios.importers.reading import Source, open_source
from scenarios.importers.refs import import_scenarios, load_scenario, prompt_scenario
from scenarios.importers.sampling import Sample
from scenarios.importers.traces import trace_pool

__all__ = [
    "SAMPLES",
    "Sample",
    "Source",
    "Wanted",
    "check_attached",
    "given_file",
    "import_scenarios",
    "library",
    "library_names",
    "load_pool",
    "load_scenario",
    "of_header",
    "open_source",
    "prompt_scenario",
    "read_pool",
    "trace_pool",
]
