"""Where data are: a file or folder, one split of a folder, or a data set of the Hugging Face hub by its name.

``hf:ORGANISATION/NAME?split=test`` is downloaded by huggingface_hub into its own cache, the files of that split alone;
``FOLDER?split=test`` is one that lies here. Nothing of a data set is run: its files are read as any others are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from embdiff._optional import require
from embdiff.corpus.files import EXTENSIONS, PACKED, exists, extension_of, shown
from embdiff.corpus.shards import table_of_file, tables_in
from embdiff.errors import DataError, ParameterError, in_one_line
from embdiff.specs import read_options

HUB = "hf:"
SECONDS = 5.0  # for the first answer of the hub
_OPTIONS = ("split", "config", "revision")
# Errors of huggingface_hub, by name: their classes, and those of the HTTP library below it, differ between versions.
_TROUBLES = {
    "RevisionNotFoundError": "the hub has no such revision",
    "GatedRepoError": "the hub asks to accept its terms first, and to log in (hf auth login)",
    "RepositoryNotFoundError": "the hub has no such {what}, or it is private (then log in: hf auth login)",
    "OfflineModeIsEnabled": "the hub was not asked, because HF_HUB_OFFLINE is set",
    "HFValidationError": "the hub has no names like that",
}


@dataclass(frozen=True)
class Place:
    """Where data are.

    Parameters
    ----------
    path : Path
        A file, or a folder.
    files : tuple of Path
        The files of the split that was asked for; none where the path says all.
    called : str
        What it is called, for people.
    notes : tuple of str
    """

    path: Path
    files: tuple[Path, ...] = ()
    called: str = ""
    notes: tuple[str, ...] = ()

    @property
    def single(self) -> Path:
        """The only file, or the folder.

        Raises
        ------
        DataError
            When a split is several files, and one is needed.
        """
        if len(self.files) > 1:
            raise DataError(
                f"Labelled data of a split must be one file. Got {len(self.files)} in {self.called}. Write them "
                "to one, and name that."
            )
        return self.files[0] if self.files else self.path


def trouble_of(error: Exception, what: str) -> str:
    """Say why the hub did not give ``what``: a model, a data set."""
    known = _TROUBLES.get(type(error).__name__)
    return known.format(what=what) if known else f"the hub did not answer ({in_one_line(error)})"


def place_of(data: str | os.PathLike[str]) -> Place:
    """Find data that are named; a data set of the hub is downloaded, or found in the hub's cache.

    Raises
    ------
    DataError
        When the hub does not have it and its cache does not, or there is no such split.
    ParameterError
        For options that do not hold.
    MissingDependencyError
        When a name of the hub is given and huggingface_hub is not installed.
    """
    path = Path(data)
    if not isinstance(data, str) or exists(path):
        return Place(path, called=str(path))
    if data.startswith(HUB):
        name, options = read_options(data, "a data set", _OPTIONS)
        return _on_the_hub(name.removeprefix(HUB), options, data)
    folder = Path(data.partition("?")[0])
    if "?" in data and exists(folder) and folder.is_dir():
        split = read_options(data, "a folder of data", ("split",))[1].get("split", "")
        return Place(folder, _files_of(folder, split, data), data)
    return Place(path, called=data)


def _files_of(folder: Path, split: str, called: str) -> tuple[Path, ...]:
    """Return the files of a split: Parquet files numbered or not, else one file of another kind."""
    tables = {name: tuple(files) for name, files in tables_in(folder).items()}
    for path in sorted(folder.rglob("*")):
        if extension_of(path) in EXTENSIONS and path.suffix != ".parquet" and path.is_file():
            tables[table_of_file(path.relative_to(folder))] = (path,)
    found = [files for name, files in tables.items() if Path(name).name == split]
    if len(found) != 1:
        what = f"{len(found)} tables of that name" if found else f"none; there are {shown(tables, 8) or 'no tables'}"
        where = " Of one below a folder name that folder, or config= of a data set of the hub." if found else ""
        raise DataError(
            f"A split must be one table of {folder}. Got {called!r}: {what}. Name one that is there.{where}"
        )
    return found[0]


def _on_the_hub(name: str, options: dict[str, str], called: str) -> Place:
    if name.count("/") != 1 or not all(name.split("/")):
        raise ParameterError(
            f"A data set of the hub must be written hf:ORGANISATION/NAME. Got {called!r}. Write hf:mteb/banking77, or "
            "the name of a file or folder."
        )
    require("huggingface_hub", "hub", f"The data set '{called}'")
    config, split = options.get("config"), options.get("split")
    folder = _downloaded(name, options, called)
    note = f"{HUB}{name} is at commit {folder.name}."
    folder = folder if config is None else folder / config
    files = () if split is None else _files_of(folder, split, called)
    return Place(folder, files, called, (note,))


def _downloaded(name: str, options: dict[str, str], called: str) -> Path:
    """Return the folder in the hub's cache with the files of data that are asked for; no code, no pictures."""
    from huggingface_hub import HfApi, snapshot_download

    revision = options.get("revision")
    try:  # one request without retries, where nobody answers
        info = HfApi().dataset_info(name, revision=revision, timeout=SECONDS)
        there = [each.rfilename for each in info.siblings or ()]
        wanted = [file for file in there if _is_wanted(Path(file), options)]
        if wanted:  # by its branch: so the cache learns which commit that is at
            return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=wanted))
    except Exception as error:
        trouble = trouble_of(error, "data set")
        try:
            given = {"revision": revision, "allow_patterns": _patterns(options), "local_files_only": True}
            return Path(snapshot_download(name, repo_type="dataset", **given))
        except Exception:
            raise DataError(
                f"The data '{called}' must be a data set on the Hugging Face hub, or in its local cache. Got none: "
                f"{trouble}; not in the cache. Check the name, or download it elsewhere and name its folder."
            ) from None
    tables = sorted({table_of_file(Path(file)) for file in there if _is_wanted(Path(file), {})})
    raise DataError(
        f"A data set of the hub must have such files of data. Got {called!r}, which has {shown(tables, 8) or 'none'}. "
        "Name one of its splits (split=), and the folder it lies in (config=)."
    )


def _patterns(options: dict[str, str]) -> list[str]:
    """Return what the names of files look like that are asked for, where nobody tells which there are."""
    head = f"{options['config']}/*" if "config" in options else "*"
    head += f"{options['split']}[-.]*" if "split" in options else ""
    return [f"{head}{end}{packed}" for end in EXTENSIONS for packed in ("", *PACKED)]


def _is_wanted(path: Path, options: dict[str, str]) -> bool:
    inside = options.get("config") in (None, str(path.parent), *map(str, path.parents))
    named = options.get("split") in (None, Path(table_of_file(path)).name)
    return extension_of(path) in EXTENSIONS and inside and named
