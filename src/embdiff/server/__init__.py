"""The live page: type a query, every model answers side by side. On loopback only, behind a token."""

from embdiff.server.serve import serve

__all__ = ["serve"]
