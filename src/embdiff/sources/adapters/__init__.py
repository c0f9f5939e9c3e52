"""The two fine-tuned relatives of all-MiniLM-L6-v2 that come with the package, as LoRA adapters.

Each folder beside this file holds one adapter in peft's own format and a ``card.json`` with the figures it was
measured at; ``examples/train_variants.py`` makes them. Nothing here imports torch: naming a model stays cheap.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from embdiff.errors import EncoderError, UnknownNameError

# What peft reads; a folder with only one of the two is no adapter.
_NEEDED = ("adapter_config.json", "adapter_model.safetensors")


def adapter_names() -> tuple[str, ...]:
    """Names of the bundled adapters, sorted.

    Returns
    -------
    tuple of str
        For example ``("minilm-intent", "minilm-mood")``.
    """
    folders = (entry for entry in files(__name__).iterdir() if entry.is_dir())
    return tuple(sorted(entry.name for entry in folders if all((entry / name).is_file() for name in _NEEDED)))


def adapter_path(name: str) -> Path:
    """Folder of one bundled adapter, as ``peft.PeftModel.from_pretrained`` takes it.

    Parameters
    ----------
    name : str
        One of `adapter_names`.

    Returns
    -------
    Path
        An existing folder with ``adapter_config.json``, ``adapter_model.safetensors`` and ``card.json``.

    Raises
    ------
    UnknownNameError
        If no adapter of that name is bundled.
    EncoderError
        If the package does not lie on disk as plain files.
    """
    known = adapter_names()
    if name not in known:
        raise UnknownNameError(
            f"The name must be that of a bundled adapter ({', '.join(known) or 'none was found'}), "
            f"but it is {name!r}. Choose a listed one; if none was found, reinstall embdiff."
        )
    folder = files(__name__) / name
    if not isinstance(folder, Path):  # imported from a zip archive, which peft cannot read
        raise EncoderError(
            f"The adapter {name!r} must lie on disk as files, but embdiff is imported from an archive. "
            "Install embdiff with pip instead of putting its archive on the path."
        )
    return folder
