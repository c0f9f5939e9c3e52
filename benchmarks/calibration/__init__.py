"""How often 95 % intervals hold the true value, and how often a test rejects what is true: ``docs/calibration.md``.

``python -m benchmarks.calibration`` simulates what is not in its cache yet, and writes the page.
"""
