"""Quantiles, intervals and tests, each once: what every measure says about how sure it is."""
