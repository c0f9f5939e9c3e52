"""The run folder and the record it holds, and who named what stands in it."""

from embdiff.runs.collections import collections_of
from embdiff.runs.folder import FILES, FORMAT, OWN_STORE, REPORT_FILE, STORE_FILE, free_folder, is_run, write_into
from embdiff.runs.origin import Named, Origin, named_in
from embdiff.runs.record import Run, same

__all__ = [
    "FILES",
    "FORMAT",
    "OWN_STORE",
    "REPORT_FILE",
    "STORE_FILE",
    "Named",
    "Origin",
    "Run",
    "collections_of",
    "free_folder",
    "is_run",
    "named_in",
    "same",
    "write_into",
]
