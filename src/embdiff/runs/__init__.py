"""The run folder and the record it holds."""

from embdiff.runs.folder import FILES, FORMAT, REPORT_FILE, STORE_FILE, free_folder, is_run
from embdiff.runs.record import Run, same

__all__ = ["FILES", "FORMAT", "REPORT_FILE", "STORE_FILE", "Run", "free_folder", "is_run", "same"]
