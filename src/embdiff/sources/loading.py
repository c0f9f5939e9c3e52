"""Loading a sentence-transformers model that was found, and refusing what the libraries would put something else for.

They do so with a warning: random numbers for weights that the files lack, a tokenizer without words where there is
none, the mean of tokens for a model of another family. What they say while loading is read here, and the model is
asked: different words must have different vectors, and no vector may depend on a weight that was made up.

Weights come from ``*.safetensors`` wherever the model has them. An older model with only ``pytorch_model.bin`` is read
by ``torch.load(weights_only=True)``, which builds tensors and refuses anything else, in the PyTorch that embdiff asks
for (2.6). Code that a model brings along runs only with ``trust_remote_code=true``.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._optional import require
from embdiff.errors import EmbdiffError, EncoderError, ParameterError, UnsoundModelError, in_one_line
from embdiff.records import FloatArray
from embdiff.sources.families import DENSE, Family, refuse_other_families, settings_of
from embdiff.sources.foreign_code import refuse_code
from embdiff.sources.hub import MODULES, Located, bars_of_downloads, broken_file, cache_folder
from embdiff.specs import ModelSpec

_NAMED = 4  # parameters that a message names
# One word each, of several scripts: no tokenizer of any language has none of them.
_WORDS = ("home", "the", "a", "7", "日", "я")
_POOLED = {
    "mean": "mean of tokens", "cls": "first token", "lasttoken": "last token", "max": "max of tokens",
    "weightedmean": "mean of tokens, later ones more",
}  # fmt: skip
POOLINGS = tuple(_POOLED)
_TABLES = ("position_ids", "token_type_ids", "inv_freq")  # buffers that older files hold and nobody needs

Numbers = Callable[[tuple[str, ...]], FloatArray]
_loading = threading.Lock()


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Parameters
    ----------
    model : SentenceTransformer
    name : str
        What stamps call it: what was assumed of it is part of that.
    assumed : tuple of str
        What a reader must know of it, a sentence each.
    """

    model: Any
    name: str
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Report:
    """What transformers says of one body that it loaded: names of parameters."""

    body: Any
    made_up: tuple[str, ...]
    unused: tuple[str, ...]


def device_for(backend: str) -> str:
    """Return the device to run on: the fastest that PyTorch has; the CPU for what PyTorch does not run."""
    torch = require("torch", "st", "A sentence-transformers model")
    if backend == "torch":
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            return "mps"
    return "cpu"


def load(
    there: Located,
    spec: ModelSpec,
    trust_remote_code: bool = False,
    device: str = "cpu",
    family: Family = DENSE,
    pooling: str | None = None,
) -> Loaded:
    """Load a located model of a family in float32, without progress bars and log lines; ``pooling`` replaces its own.

    Raises
    ------
    EncoderError
        When it cannot be loaded, or what is loaded is not the model of the files; one line says why.
    ParameterError
        When a pooling is asked for of a model that makes its vectors otherwise.
    """
    purpose = f"The model '{spec}'"
    library = require("sentence_transformers", "st", purpose)
    torch, transformers = require("torch", "st", purpose), require("transformers", "st", purpose)
    try:
        with quiet(), _reports(transformers) as reports:
            refuse_other_families(there, family, purpose)
            if not trust_remote_code:
                refuse_code(partial(settings_of, there), purpose)
            model = getattr(library, family.name)(
                there.path,
                device=device,
                revision=there.commit,
                cache_folder=cache_folder(),
                local_files_only=there.local,
                trust_remote_code=trust_remote_code,
                model_kwargs={"dtype": torch.float32},  # else one saved in half precision would run in it
            ).to(torch.float32)
            for report in reports:
                _refuse_made_up(partial(family.numbers, model), report, purpose)
                _refuse_foreign_tokenizer(model, report.body, purpose)
            _refuse_one_vector(partial(family.numbers, model), _own_words(model), purpose)
    except EmbdiffError:
        raise
    except Exception as error:  # the libraries below raise classes of their own, of each other and of the network
        if "trust_remote_code" in str(error):
            raise EncoderError(
                f"{purpose} must be loadable without running code of its own. Got one that brings code along. Read "
                "that code; if you trust it, add trust_remote_code=true to the options."
            ) from error
        broken = broken_file(Path(there.path))
        found = f"a file that cannot be read, {broken}." if broken else in_one_line(error)
        raise (UnsoundModelError if broken else EncoderError)(
            f"{purpose} must load as a sentence-transformers model. Got {found} Check that it is one, and "
            "that all its files are there; a download cut short goes on when run again."
        ) from error
    own = _pooled(model)
    if pooling is not None:
        _pool(model, pooling, spec)
    pooled = _pooled(model) if (there.bare and family is DENSE) or _pooled(model) != own else ""
    name = f"{there.name} + {pooled}" if pooled else there.name
    told = _assumed(pooled if pooling is None else "", reports)
    asked = (
        [] if pooling is None or _pooled(model) == own else [f"the {pooled} is taken, as asked: its own is the {own}"]
    )
    return Loaded(model, name, (*told, *asked))


def _pool(model: Any, pooling: str, spec: ModelSpec) -> None:
    """Let a model make one vector of its tokens in another way."""
    places = [at for at, module in enumerate(model) if type(module).__name__ == "Pooling"]
    if len(places) != 1 or not isinstance(model[places[0]].pooling_mode, str):
        raise ParameterError(
            f"pooling must be of a model that makes one vector of its tokens in one way. Got '{spec}', which does not. "
            "Leave pooling out."
        )
    own = model[places[0]]
    model[places[0]] = type(own)(own.embedding_dimension, pooling, own.include_prompt)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings, log lines and progress bars off the terminal; show downloads on a terminal only."""
    from huggingface_hub.utils import enable_progress_bars
    from transformers.utils import logging as bars

    # "" is the root, which onnxruntime uses
    names = ("transformers", "sentence_transformers", "huggingface_hub", "peft", "")
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    had_bars = bars.is_progress_bar_enabled()
    with bars_of_downloads() as had_downloads, warnings.catch_warnings():
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


@contextmanager
def _reports(transformers: Any) -> Iterator[list[_Report]]:
    """Collect what transformers says of every body that it loads meanwhile.

    sentence-transformers does not ask for it (``output_loading_info``), so it is asked for on the way.
    """
    owner, found = transformers.PreTrainedModel, []
    whole = owner.__dict__["from_pretrained"]

    def asked(cls: Any, /, *args: Any, output_loading_info: bool = False, **more: Any) -> Any:
        body, told = whole.__func__(cls, *args, output_loading_info=True, **more)
        changed = (name for name, *_ in told.get("mismatched_keys", ()))
        found.append(
            _Report(body, tuple(sorted({*told["missing_keys"], *changed})), tuple(sorted(told["unexpected_keys"])))
        )
        return (body, told) if output_loading_info else body

    with _loading:
        owner.from_pretrained = classmethod(asked)
        try:
            yield found
        finally:
            owner.from_pretrained = whole


def _refuse_made_up(numbers: Numbers, report: _Report, purpose: str) -> None:
    """Refuse weights that the files lack, if vectors depend on them; a pooler that nobody asks is none."""
    state = {**dict(report.body.named_buffers()), **dict(report.body.named_parameters(remove_duplicate=False))}
    if not report.made_up or not _matter(numbers, state, report.made_up):
        return
    used = list(islice((name for name in report.made_up if _matter(numbers, state, [name])), _NAMED))
    raise UnsoundModelError(
        f"{purpose} must have all its weights in its files. Got random numbers for {', '.join(used)}"
        f"{' and others' if len(report.made_up) > _NAMED else ''}, of which its files hold nothing"
        f"{f'; they hold {report.unused[0]}, which fits nothing' if report.unused else ''}. Save the model anew, or "
        "rename the weights in its files."
    )


def _matter(numbers: Numbers, state: Mapping[str, Any], names: Iterator[str] | tuple[str, ...] | list[str]) -> bool:
    """Return whether vectors depend on these parameters: what is put in their place comes out at the end.

    NaN shows the slightest use; but PyTorch's attention may swallow it, so that other numbers are tried, too.
    """
    import torch

    names = list(names)
    if any(name not in state for name in names):  # what is not known is taken to matter
        return True
    tensors = [state[name] for name in names if state[name].is_floating_point()]
    before, plain = [tensor.detach().clone() for tensor in tensors], numbers(_WORDS[:2])
    try:
        for other in (float("nan"), 1.0):
            with torch.no_grad():
                for tensor in tensors:
                    waves = torch.sin(torch.arange(tensor.numel(), device=tensor.device)).view(tensor.shape)
                    tensor.copy_(other * (2 * waves + 0.5))
            if not np.allclose(numbers(_WORDS[:2]), plain, rtol=0, atol=1e-5 * float(np.abs(plain).max())):
                return True
        return False
    except Exception:  # the model's own code may refuse NaN: then it has met one
        return True
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)


def _refuse_foreign_tokenizer(model: Any, body: Any, purpose: str) -> None:
    """Refuse a tokenizer that cannot be this model's: it knows no words, or much fewer than the model has rows for."""
    tokenizer = getattr(model, "tokenizer", None)
    try:
        known = dict(tokenizer.get_vocab())  # type: ignore[union-attr] # a model without a tokenizer has no such thing
        rows = int(body.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError, TypeError):
        return  # characters, hashes, pictures: there is no table of words
    words = len(set(known.values()) - set(tokenizer.all_special_ids))  # type: ignore[union-attr]
    if words and 2 * len(known) >= rows:
        return
    raise UnsoundModelError(
        f"{purpose} must come with the tokenizer it was trained with. Got one of {len(known):,} entries, {words:,} of "
        f"them words, for a model that knows {rows:,}: its files are missing or another's. Save the tokenizer into the "
        "model's folder (tokenizer.save_pretrained)."
    )


def _refuse_one_vector(numbers: Numbers, own_words: list[str], purpose: str) -> None:
    """Refuse a model that makes the same of every word."""
    vectors = numbers((*_WORDS, *own_words)).astype(np.float64)
    if np.abs(vectors - vectors[0]).max() <= 1e-6 * np.abs(vectors).max():
        raise UnsoundModelError(
            f"{purpose} must give different words different vectors. Got one and the same for {', '.join(_WORDS)} "
            "(embdiff's own trial texts). Check its tokenizer and its weights."
        )


def _own_words(model: Any) -> list[str]:
    """Return a few entries of the model's tokenizer, for one that knows no common words."""
    tokenizer = getattr(model, "tokenizer", None)
    try:
        known = sorted(tokenizer.get_vocab())  # type: ignore[union-attr] # there may be none
    except (AttributeError, NotImplementedError):
        return []
    return known[:: max(1, len(known) // _NAMED)]


def _pooled(model: Any) -> str:
    """Return how sentence-transformers makes one vector of a model that does not say how; "" where it does."""
    modes = [vars(module).get("pooling_mode") for module in model if type(module).__name__ == "Pooling"]
    if not modes:
        return ""
    mode = str(modes[0])
    return _POOLED.get(mode, f"{mode} of tokens")


def _assumed(pooled: str, reports: list[_Report]) -> Iterator[str]:
    """Yield what was assumed of a model, a sentence each."""
    if pooled:
        yield f"it does not say how one vector is made of a text (no {MODULES}): the {pooled} is assumed"
    unused = [name for report in reports for name in report.unused if not name.endswith(_TABLES)]
    if unused:
        more = f" and {len(unused) - 1:,} more" if len(unused) > 1 else ""
        yield f"weights in its files that the model has no place for are left out: {unused[0]}{more}"
