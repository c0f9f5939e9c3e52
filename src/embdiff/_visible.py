"""Text of others made harmless for whoever reads it: what acts on a terminal is written out, what is endless is cut."""

from __future__ import annotations

LONGEST_MESSAGE = 580  # characters: with what is printed around it, it stays under 600
_KEPT_AT_END = 200  # of a message that is cut: what to do stands last
# Format characters hold zero-width joiners, which emoji need; only the bidirectional overrides among them can deceive.
_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_ACTING = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *map(ord, _OVERRIDES), *range(0xD800, 0xE000)]
_BLANKS = dict.fromkeys(map(ord, "\t\r\n\v\f\x85\u2028\u2029"), " ")
_WRITTEN_OUT = {code: ascii(chr(code))[1:-1] for code in _ACTING}


def visible(value: str) -> str:
    r"""Return text on one line that can be printed anywhere and acts on no terminal.

    Control characters, line ends, bidirectional overrides and halves of surrogate pairs are written out as Python
    does: ``\x1b``, ``\n``, ``\u202e``, ``\udcff``.
    """
    return value if value.isprintable() else value.translate(_WRITTEN_OUT)


def visible_on_a_page(value: str) -> str:
    """Return text as `visible` does, but with blanks for tabs and line ends, as pages show them."""
    return value if value.isprintable() else visible(value.translate(_BLANKS))


def message(value: str) -> str:
    """Return `visible` text no longer than a message may be; what is cut of a longer one is in the middle."""
    if len(value) > 2 * LONGEST_MESSAGE:  # what is thrown away is not looked at
        value = f"{value[:LONGEST_MESSAGE]}…{value[-LONGEST_MESSAGE:]}"
    shown = visible(value)
    if len(shown) <= LONGEST_MESSAGE:
        return shown
    return f"{shown[: LONGEST_MESSAGE - _KEPT_AT_END - 3]} … {shown[-_KEPT_AT_END:]}"
