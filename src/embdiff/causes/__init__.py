"""Why neighbours change: causes computed of each, and counted against neighbours that both models return."""

from embdiff.causes.explained import Seen, explained
from embdiff.causes.records import CAUSES, KNOCK_ON, SHORT, Cause, Example, Name, Slice, Why

__all__ = ["CAUSES", "KNOCK_ON", "SHORT", "Cause", "Example", "Name", "Seen", "Slice", "Why", "explained"]
