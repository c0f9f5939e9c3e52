"""The run folder and the record it holds."""

from embdiff.runs.columns import agreement_json, differences_json, groups_json, neighbor_columns
from embdiff.runs.folder import FILES, FORMAT, REPORT_FILE, STORE_FILE, free_folder, is_run, read, write
from embdiff.runs.record import Run

__all__ = [
    "FILES",
    "FORMAT",
    "REPORT_FILE",
    "STORE_FILE",
    "Run",
    "agreement_json",
    "differences_json",
    "free_folder",
    "groups_json",
    "is_run",
    "neighbor_columns",
    "read",
    "write",
]
