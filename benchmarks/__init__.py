"""Measurements as ratios in one run against a named peer; ``make bench`` runs them all."""

import os

# What is measured is measured: no vectors from an earlier run, but where a benchmark names a cache.
os.environ["EMBDIFF_CACHE"] = "off"

# Each module has main() -> list[Figure], prints its lines as it goes, and may say in ROWS what its figures are. Where
# main takes ``full``, it is told whether there is time for more.
MODULES = ("tutorial", "encode", "measures", "views", "live", "warm", "overhead", "exact", "sampled")
LONG = ("growth", "doctor", "decide")  # only in full: twenty minutes
