"""Finding and loading a sentence-transformers model: a folder, or the Hugging Face hub and its cache. Says so quickly.

Left to themselves, sentence-transformers and huggingface_hub ask for four files and retry each five times, over a
minute in all, before they say that there is no network. Here one short request settles which commit a name stands for;
without an answer the cache is asked, and without that there is one line of explanation.

Weights come from ``*.safetensors`` wherever the model has them. An older model with only ``pytorch_model.bin`` is read
by ``torch.load(weights_only=True)``, which builds tensors and refuses anything else; transformers insists on a PyTorch
(2.6) in which that holds. Code that a model brings along runs only with ``trust_remote_code=true``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embdiff._files import sha256_of
from embdiff._optional import require
from embdiff.errors import EncoderError, ParameterError, in_one_line
from embdiff.specs import ModelSpec

_ORGANISATION = "sentence-transformers"  # where the library itself looks for names without one
_SECONDS = 5.0
_MODULES, _CONFIG = "modules.json", "config.json"
# What decides vectors: weights, tokenizers, settings, code. Read-me files and pictures do not.
_COUNTED = (".safetensors", ".bin", ".json", ".txt", ".model", ".py", ".npy")

# Errors of huggingface_hub, by name: their classes, and those of the HTTP library below it, differ between versions.
_TROUBLES = {
    "RevisionNotFoundError": "the hub has no such revision",
    "GatedRepoError": "the hub asks to accept its terms first, and to log in (hf auth login)",
    "RepositoryNotFoundError": "the hub has no such model, or it is private (then log in: hf auth login)",
    "OfflineModeIsEnabled": "the hub was not asked, because HF_HUB_OFFLINE is set",
    "HFValidationError": "the hub has no names like that",
}


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
    """

    path: str
    name: str
    revision: str
    local: bool

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
    if folder.is_dir():
        if revision is not None:
            raise ParameterError(
                f"A revision must be of a model on the hub. Got '{typed}', a local folder. Leave revision out."
            )
        return _folder(folder, typed)
    if folder.exists() or re.match(r"[./~\\]|[A-Za-z]:", name) or name.count("/") > 1 or "\\" in name:
        raise EncoderError(
            f"The model '{typed}' must be a folder that exists, or a name ORGANISATION/MODEL on the Hugging Face hub. "
            f"Got {name!r}, which is no folder. Check the path."
        )
    return _on_the_hub(name if "/" in name else f"{_ORGANISATION}/{name}", revision, typed)


def folder_revision(folder: Path) -> str:
    """Return ``sha256:...`` over names and contents of all files in the folder that decide vectors."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _COUNTED and path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def _folder(folder: Path, typed: str) -> Located:
    if not (folder / _CONFIG).is_file() and not (folder / _MODULES).is_file():
        raise EncoderError(
            f"The model '{typed}' must be a folder saved by sentence-transformers or transformers. Got {folder}, which "
            "has neither modules.json nor config.json. Name the folder that has them."
        )
    name = _stamped(folder.resolve().name, bare=not (folder / _MODULES).is_file())
    return Located(str(folder), name, folder_revision(folder), local=True)


def _stamped(name: str, *, bare: bool) -> str:
    """Return what stamps call a model; without ``modules.json`` its tokens are averaged by sentence-transformers."""
    return f"st:{name}" + (" + mean of tokens" if bare else "")


def _on_the_hub(name: str, revision: str | None, typed: str) -> Located:
    try:
        commit, bare = _ask(name, revision)
        return Located(name, _stamped(name, bare=bare), commit, local=False)
    except Exception as error:
        trouble = _TROUBLES.get(type(error).__name__) or f"the hub did not answer ({in_one_line(error)})"
    commits = [_cached_commit(name, file, revision) for file in (_MODULES, _CONFIG)]
    commit = commits[0] or commits[1] or ""
    if not commit:
        wanted = name if revision is None else f"{name} at revision {revision}"
        raise EncoderError(
            f"The model '{typed}' must be on the Hugging Face hub, in its local cache, or a folder. Got none of "
            f"these for {wanted}: {trouble}; not in the cache; no folder {name!r} here. Check the name, or take a "
            "model that needs no download: a local folder (st:./my-model), minilm, wordllama:256, lsa:64 or toy:8."
        )
    return Located(name, _stamped(name, bare=commits[0] is None), commit, local=True)


def _ask(name: str, revision: str | None) -> tuple[str, bool]:
    """Ask the hub for the commit, and whether the model is a plain one; one request, no retries.

    A file is then fetched under the name of the branch: that is how the cache learns which commit the branch is at, so
    that the model is found there when the hub does not answer.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.utils import disable_progress_bars

    info = HfApi().model_info(name, revision=revision, timeout=_SECONDS)
    bare = all(sibling.rfilename != _MODULES for sibling in info.siblings or ())
    with _bars_of_downloads():
        disable_progress_bars()  # for a file of a few hundred bytes
        path = hf_hub_download(name, _CONFIG if bare else _MODULES, revision=revision, cache_dir=cache_folder())
    return _commit_of(path), bare


@contextmanager
def _bars_of_downloads() -> Iterator[bool]:
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


def device_for(backend: str) -> str:
    """Return the device to run on: the fastest that PyTorch has; the CPU for what PyTorch does not run."""
    torch = require("torch", "st", "A sentence-transformers model")
    if backend == "torch":
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            return "mps"
    return "cpu"


def load(there: Located, spec: ModelSpec, trust_remote_code: bool = False, device: str = "cpu") -> Any:
    """Load a located model in float32, without progress bars and log lines.

    Raises
    ------
    EncoderError
        When it cannot be loaded; one line says why.
    """
    purpose = f"The model '{spec}'"
    library = require("sentence_transformers", "st", purpose)
    torch, transformers = require("torch", "st", purpose), require("transformers", "st", purpose)
    # Without it, a model saved in half precision would run in half precision.
    precision = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        with quiet():
            model = library.SentenceTransformer(
                there.path,
                device=device,
                revision=there.commit,
                cache_folder=cache_folder(),
                local_files_only=there.local,
                trust_remote_code=trust_remote_code,
                model_kwargs={precision: torch.float32},
            )
            return model.to(torch.float32)
    except Exception as error:  # the libraries below raise classes of their own, of each other and of the network
        if "trust_remote_code" in str(error):
            raise EncoderError(
                f"{purpose} must be loadable without running code of its own. Got one that brings code along. Read "
                "that code; if you trust it, add trust_remote_code=true to the options."
            ) from error
        raise EncoderError(
            f"{purpose} must load as a sentence-transformers model. Got {in_one_line(error)} Check that it is one, and "
            "that all its files are there; a download cut short goes on when run again."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings, log lines and progress bars off the terminal; show downloads on a terminal only."""
    from huggingface_hub.utils import enable_progress_bars
    from transformers.utils import logging as bars

    # "" is the root, which onnxruntime uses
    names = ("transformers", "sentence_transformers", "huggingface_hub", "peft", "")
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    had_bars = bars.is_progress_bar_enabled()
    with _bars_of_downloads() as had_downloads, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bars.disable_progress_bar()  # this hides downloads too
        if had_downloads and sys.stderr.isatty():
            enable_progress_bars()
        for logger in levels:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in levels.items():
                logger.setLevel(level)
            if had_bars:
                bars.enable_progress_bar()
