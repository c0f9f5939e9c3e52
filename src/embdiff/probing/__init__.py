"""Probes: sentences of the user's own, changed a little, and how far each model goes along with that."""

from embdiff.probing.found import Probe
from embdiff.probing.line import probe
from embdiff.probing.result import Probes

__all__ = ["Probe", "Probes", "probe"]
