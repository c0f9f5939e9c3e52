"""Finding a sentence-transformers model: a folder, or the Hugging Face hub and its cache. Says so quickly.

Left to themselves, sentence-transformers and huggingface_hub ask for four files and retry each five times, over a
minute in all, before they say that there is no network. Here one short request settles which commit a name stands for;
without an answer the cache is asked, and without that there is one line of explanation.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embdiff._files import sha256_of
from embdiff._names import resolved
from embdiff.corpus.files import exists
from embdiff.corpus.hub import SECONDS, trouble_of
from embdiff.errors import EncoderError, ParameterError, in_one_line

_ORGANISATION = "sentence-transformers"  # where the library itself looks for names without one
MODULES, CONFIG = "modules.json", "config.json"
_ADAPTER, _BASE = "adapter_config.json", "base_model_name_or_path"
# What does not decide vectors: words and pictures for people, and what others write down beside a model.
_FOR_PEOPLE = (".md", ".rst", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
_NAMES_FOR_PEOPLE = ("readme", "license", "licence", "notice", ".git", ".ds_store")
_NOTES_OF_TOOLS = ("__pycache__", ".git", ".cache", ".ipynb_checkpoints")


@dataclass(frozen=True)
class Located:
    """A model found.

    Parameters
    ----------
    path : str
        Folder, or name on the hub.
    name : str
        What stamps call it.
    revision : str
        Commit on the hub, or ``sha256:...`` over the files of the folder.
    local : bool
        Whether everything must come from this machine: a folder, or a hub that did not answer.
    bare : bool
        Whether it does not say how one vector is made of a text: it has no ``modules.json``.
    """

    path: str
    name: str
    revision: str
    local: bool
    bare: bool = False

    @property
    def commit(self) -> str | None:
        """Commit to load from the hub; None for a folder."""
        return None if self.revision.startswith("sha256:") else self.revision


def locate(name: str, revision: str | None, typed: str) -> Located:
    """Find the folder, or the commit on the hub or in its cache.

    Parameters
    ----------
    name : str
        Folder or name on the hub. A folder wins; a name without "/" is looked for under sentence-transformers/.
    revision : str or None
        Branch, tag or commit on the hub.
    typed : str
        The model as typed, for messages.

    Raises
    ------
    ParameterError
        When there is no name, or a revision of a folder is asked for.
    EncoderError
        When there is no such folder or model, or the hub cannot be reached and the cache does not have it.
    """
    if not name:
        raise ParameterError(
            "The kind st must be followed by a name. Got 'st'. Write st:NAME for a model on the Hugging Face hub or "
            "st:FOLDER for a local one."
        )
    folder = Path(name).expanduser()
    there = exists(folder)
    if there and folder.is_dir():
        if revision is not None:
            raise ParameterError(
                f"A revision must be of a model on the hub. Got '{typed}', a local folder. Leave revision out."
            )
        return _folder(folder, typed)
    if there or is_place(name):
        raise EncoderError(
            f"The model '{typed}' must be a folder that exists, or a name ORGANISATION/MODEL on the Hugging Face hub. "
            f"Got {name!r}, which is no folder. Check the path."
        )
    return _on_the_hub(name if "/" in name else f"{_ORGANISATION}/{name}", revision, typed)


def is_place(name: str) -> bool:
    """Return whether the name of a model is a path of this machine, and not a name on a hub."""
    written = re.match(r"[./~\\]|[A-Za-z]:", name) is not None or name.count("/") > 1 or "\\" in name
    return written or Path(name).expanduser().exists()


def folder_revision(folder: Path) -> str:
    """Return ``sha256:...`` over names and contents of all files under the folder, links followed.

    Only what is for people to read, and what tools note down for themselves, does not count.
    """
    digest = hashlib.sha256()
    for path in sorted(_files_under(folder)):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def broken_file(folder: Path) -> str:
    """Return which JSON or safetensors file under a folder is none, and why; "" where all can be read."""
    from safetensors import safe_open

    for path in sorted(_files_under(folder)):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="np"):
                    pass
        except Exception as error:  # safetensors raises a class of its own
            return f"{path.relative_to(folder)} ({in_one_line(error)[:150]})"
    return ""


def _files_under(folder: Path) -> Iterator[Path]:
    """Yield every file that may decide vectors; a link that leads back to where it stands is not followed."""
    above: dict[Path, frozenset[Path]] = {}
    for here, folders, files in os.walk(folder, followlinks=True):
        place = Path(here)
        above[place] = inside = above.get(place.parent, frozenset()) | {resolved(place)}
        kept = (name for name in folders if name not in _NOTES_OF_TOOLS)
        folders[:] = [name for name in kept if resolved(place / name) not in inside]
        for path in (place / name for name in files):
            told = path.name.lower().startswith(_NAMES_FOR_PEOPLE) or path.suffix.lower() in _FOR_PEOPLE
            if not told and path.is_file():
                yield path


def _folder(folder: Path, typed: str) -> Located:
    if not (folder / CONFIG).is_file() and not (folder / MODULES).is_file():
        raise EncoderError(
            f"The model '{typed}' must be a folder saved by sentence-transformers or transformers. Got {folder}, which "
            "has neither modules.json nor config.json. Name the folder that has them."
        )
    revision = folder_revision(folder) + "".join(f" + {base}" for base in _bases(folder, typed))
    bare = not (folder / MODULES).is_file()
    return Located(str(folder), f"st:{resolved(folder).name}", revision, local=True, bare=bare)


def _bases(folder: Path, typed: str) -> Iterator[str]:
    """Yield the revisions of the models that adapters in the folder are added to: they lie elsewhere."""
    for base, revision in bases_of(folder):
        yield f"{base} {locate(base, revision, typed).revision}"


def bases_of(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield what adapters in a folder are added to, but for the folder itself: names or folders, and revisions.

    Parameters
    ----------
    folder : Path
        Of a model; nothing is loaded.
    """
    for file in sorted(path for path in _files_under(folder) if path.name == _ADAPTER):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            base = told.get(_BASE) if isinstance(told, dict) else None
        except ValueError:
            continue  # whoever loads it says what is wrong with it
        if isinstance(base, str) and base and resolved(Path(base).expanduser()) != resolved(folder):
            yield base, told.get("revision")


def _on_the_hub(name: str, revision: str | None, typed: str) -> Located:
    try:
        commit, bare = _ask(name, revision)
        return Located(name, f"st:{name}", commit, local=False, bare=bare)
    except Exception as error:
        trouble = trouble_of(error, "model")
    commits = [_cached_commit(name, file, revision) for file in (MODULES, CONFIG)]
    commit = commits[0] or commits[1] or ""
    if not commit:
        wanted = name if revision is None else f"{name} at revision {revision}"
        raise EncoderError(
            f"The model '{typed}' must be on the Hugging Face hub, in its local cache, or a folder. Got none of "
            f"these for {wanted}: {trouble}; not in the cache; no folder {name!r} here. Check the name, or take a "
            "model that needs no download: a local folder (st:./my-model), minilm, wordllama:256, lsa:64 or toy:8."
        )
    return Located(name, f"st:{name}", commit, local=True, bare=commits[0] is None)


def _ask(name: str, revision: str | None) -> tuple[str, bool]:
    """Ask the hub for the commit, and whether the model is a plain one; one request, no retries.

    A file is then fetched under the name of the branch: that is how the cache learns which commit the branch is at, so
    that the model is found there when the hub does not answer.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.utils import disable_progress_bars

    info = HfApi().model_info(name, revision=revision, timeout=SECONDS)
    bare = all(sibling.rfilename != MODULES for sibling in info.siblings or ())
    with bars_of_downloads():
        disable_progress_bars()  # for a file of a few hundred bytes
        path = hf_hub_download(name, CONFIG if bare else MODULES, revision=revision, cache_dir=cache_folder())
    return _commit_of(path), bare


@contextmanager
def bars_of_downloads() -> Iterator[bool]:
    """Yield whether downloads show progress bars; after the block they do as they did before."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    try:
        yield shown
    finally:
        (enable_progress_bars if shown else disable_progress_bars)()


def cache_folder() -> str | None:
    """Return the cache that sentence-transformers was told to use, None for the usual one."""
    return os.environ.get("SENTENCE_TRANSFORMERS_HOME")


def _cached_commit(name: str, file: str, revision: str | None) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        path = try_to_load_from_cache(name, file, cache_dir=cache_folder(), revision=revision)
    except ValueError:  # a name that no hub could have
        return None
    return _commit_of(path) if isinstance(path, str) else None


def _commit_of(path: str) -> str:
    """Return the commit in the path of a cached file: ``.../snapshots/COMMIT/file``."""
    return Path(path).parent.name
