"""Measurements as ratios in one run against a named peer; ``make bench`` runs them all."""

import os

# What is measured is measured: no vectors from an earlier run, but where a benchmark names a cache.
os.environ["EMBDIFF_CACHE"] = "off"
