"""The report: one self-contained page that works from a file, without any network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from embdiff import _files
from embdiff._visible import visible_on_a_page
from embdiff.errors import MissingDependencyError
from embdiff.kept import Kept
from embdiff.runs import Run, write_into
from embdiff.views.packing import pack
from embdiff.views.words import title

SCRIPT, STYLE = "view.js", "style.css"
_STATIC = files("embdiff.views").joinpath("static")


def asset(name: str) -> str:
    """Return a built part of the front end: ``view.js`` or ``style.css``.

    Raises
    ------
    MissingDependencyError
        When it was not built into this installation.
    """
    try:
        return _STATIC.joinpath(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingDependencyError(
            f"The page needs {name}, which is built when embdiff is packed. Got an installation without it. In a clone "
            "run 'make frontend'; elsewhere install embdiff from its wheel."
        ) from None


def is_built() -> bool:
    """Return whether this installation can make pages."""
    return _STATIC.joinpath(SCRIPT).is_file() and _STATIC.joinpath(STYLE).is_file()


def page(run: Run, kept: Kept | None = None) -> str:
    """Return the report of a run as HTML.

    The page carries everything it needs, and a Content-Security-Policy that forbids it every connection.

    Raises
    ------
    MissingDependencyError
        When the front end was not built into this installation.
    """
    data = base64.b64encode(pack(run, kept)).decode()
    carried = f'<script type="text/plain" id="embdiff-data">{data}</script>\n'
    return _document(title(run), 'id="embdiff-report"', carried, connect="none")[0]


def live_page(named: str, *, indexes: Sequence[str]) -> tuple[str, str]:
    """Return the live page and its Content-Security-Policy, which lets it talk to its own server only.

    Parameters
    ----------
    named : str
        Its title.
    indexes : sequence of str
        What can be searched with.

    Raises
    ------
    MissingDependencyError
        When the front end was not built into this installation.
    """
    attributes = f'id="embdiff-live" data-indexes="{escape(json.dumps(list(indexes)))}"'
    return _document(named, attributes, "", connect="self")


def _document(named: str, attributes: str, carried: str, *, connect: str) -> tuple[str, str]:
    """Return a page and its policy: this very script by its hash, and ``unsafe-eval`` for regl, which compiles drawing.

    No text of the user's is ever part of code.
    """
    script = asset(SCRIPT).replace("</script", "<\\/script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src '{connect}'; base-uri 'none'; form-action 'none'"
    )
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(visible_on_a_page(named))}</title>\n<style>{asset(STYLE)}</style></head>\n"
        f'<body style="margin:0"><main {attributes} class="embdiff-view">'
        "<p>This page draws itself with JavaScript.</p></main>\n"
        f'{carried}<script type="module">{script}</script>\n</body></html>\n'
    )
    return html, policy


def write(run: Run, path: Path, kept: Kept | None = None, *, inside: bool = False) -> None:
    """Write the report atomically; ``inside`` the folder of its run, which keeps its checksum.

    Raises
    ------
    ParameterError
        When the folder is not there or cannot be written to.
    MissingDependencyError
        As for `page`.
    """
    html = page(run, kept)
    with _files.told("A report", path, "or name another file with -o"):
        if inside:
            write_into(path.parent, path.name, html)
        else:
            _files.write_text(path, html)
