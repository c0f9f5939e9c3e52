"""Every option of `compare`, `evaluate` and `judge`, once: name, type, default, bound, purpose, how it is written.

The command line, ``run.toml``, the documentation and the settings that travel follow from these models. To add an
option, add a field with its line in the docstring here, and a parameter to the function.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from embdiff._names import refuse_endless
from embdiff._settings import Settings, option
from embdiff._sizes import read_size
from embdiff.chunking import Chunking
from embdiff.errors import DataError, ParameterError
from embdiff.forms import ranks
from embdiff.indexes import IndexSpec, check_metric
from embdiff.records import Method, Metric
from embdiff.specs import without_secrets

SAMPLE_ABOVE = 20_000  # rows: above, ``all`` asks a random sample of them unless told otherwise
SAMPLE_SIZE = 5_000  # queries of such a sample: at worst within .014 of what every row would give
PILOT = 500  # queries that tell how many a half-width needs

MOST = 10**9  # of whatever is counted by an option

Emptiness = Literal["refuse", "keep", "drop"]
Zeros = Literal["refuse", "drop", "keep"]
Baseline = Literal["beside", "named", "none"]
Task = Literal["retrieval", "pairs", "classes", "bitext", "scope"]
Order = Literal["disputed", "random", "weighted"]


def _named_list(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        raise ParameterError(f"The {info.field_name} must be a list. Got the text {value!r}. Write [{value!r}].")
    return value


def _path_or(otherwise: str | None) -> Callable[[Any], str | None]:
    """Return what keeps the text of a file or choice, and has another word for what came as a Python object."""
    return lambda value: str(value) if isinstance(value, (str, Path)) else None if value is None else otherwise


def _size(text: str) -> str:
    read_size(text)
    return text.replace(" ", "")


_Metric = Annotated[Metric, BeforeValidator(lambda name: check_metric(str(name)))]
_PathOrObject = BeforeValidator(_path_or("list"))
_Object = BeforeValidator(lambda value: None if value is None else "list")
_Chunk = Annotated[str, AfterValidator(lambda text: str(Chunking.parse(text)))]
_Index = Annotated[str, AfterValidator(lambda text: str(IndexSpec.parse(text)))]


class RunConfig(Settings):
    """All settings of one comparison; ``run.toml`` is this and nothing else.

    Parameters
    ----------
    models : tuple of str
        Model with a collection of its own, or ALIAS=MODEL to show it as ALIAS; repeat. See 'embdiff models'.
    query_models : tuple of str
        Model whose vectors query every collection; repeat; 'all' means every -m.
    align : str or None
        Map the query models' vectors into each collection: procrustes, ridge or low-rank, fitted on rows of the corpus.
        Without it they ask as they are, which needs one dimension.
    queries : str
        all, every, first:N, rows:3,7, or a file.
    k : int
        Neighbours per query.
    metric : str
        cosine, ip or l2.
    index : str
        flat, 'ivf_flat(nlist=4,nprobe=2)', 'hnsw(M=16,ef=64)'...
    store : str
        milvus:FILE, lancedb:DIR, http://HOST:PORT or memory:. Default: a file in the run folder.
    expected : str or None
        Expected results: table query_id,id[,grade], or TREC qrels.
    text_column : str or None
        Name or 0-based position of the text column, or a template such as '{title} {text}'. Default: title and text.
    id_column : str or None
        Name or 0-based position of the id column.
    group_column : str or None
        Name or 0-based position of the group column.
    group_empty : str or None
        Group of rows whose cell in the group column is empty. Default: refused.
    quotes : bool or None
        Whether quotes in csv and tsv files hold cells together. Default: yes; refused where nothing tells.
    header : bool or None
        Whether line 1 of csv and tsv files names the columns. Default: found from its cells.
    encoding : str or None
        Encoding of text files, such as cp1252 or utf-16. Default: UTF-8.
    chunk : str or None
        Cut each document into chunks of at most so many tokens: 200, or heading:200, which begins one at every heading,
        or 200?overlap=20. Default: each is whole.
    empty : str
        Rows without text: refuse, keep or drop.
    common : bool
        Compare the rows that all files of vectors and collections have, and say how many.
    zero : str
        Rows and queries of which some model makes a zero vector, with cosine: refuse, drop (for all models), or keep
        (as near to all others as to none).
    self_matches : str
        A query's own row: keep, drop, or auto: dropped by row when every row queries.
    sample : str
        Rows that query when all are to: N, all, or auto: all of up to 20,000, else 5,000.
    half_width : float or None
        Sample as many rows as an interval of overlap of +- this needs, e.g. 0.01.
    store_queries : str
        Queries, drawn at random, that the database is asked of an exact index: N or all.
    memory : str or None
        What vectors may take, e.g. 4GiB; larger files of vectors stay on disk. Default: three quarters of the memory.
    permutations : int or None
        Permutations of the group test. Default: 9,999, for rare groups among over 200 tests more.
    calibrate : int
        Shuffle rows so often for calibrated agreement and geometry; try 200.
    measures : tuple of str
        Measure of agreement, such as overlap@3 or 'rbo(p=0.8)@5'; repeat. See 'embdiff measures'.
    baseline : str
        Whether bm25 stands beside the models. Default: where installed.
    seed : int
        Seed of intervals and permutations.
    cache : str
        Folder of kept vectors, DIR?precision=float16, or off. Default: EMBDIFF_CACHE, else your cache folder.
    layout : str
        Maps of the report: pca, umap or none.
    data : str or None
        File the corpus was read from; None when it came as a Python object. Other settings that did are ``list``.
    groups : str or None
        ``list`` when groups were given from Python.
    aliases : dict of str to str
        The model that each alias among the models stands for.
    """

    no_options = ("data", "groups", "aliases")

    data: Annotated[str | None, BeforeValidator(_path_or(None))] = None
    models: tuple[str, ...] = option((), "-m", "--model")
    query_models: tuple[str, ...] = option((), "--query-model")
    align: Method | None = None
    queries: Annotated[str, _PathOrObject] = "all"
    k: int = option(10, "-k", ge=1, le=MOST, strict=True)
    metric: _Metric = "cosine"
    index: _Index = "flat"
    store: Annotated[str, AfterValidator(without_secrets)] = ""
    groups: Annotated[Literal["list"] | None, _Object] = None
    expected: Annotated[str | None, _PathOrObject] = None
    text_column: str | None = None
    id_column: str | None = None
    group_column: str | None = None
    group_empty: str | None = None
    quotes: bool | None = None
    header: bool | None = None
    encoding: str | None = None
    chunk: _Chunk | None = None
    empty: Emptiness = "refuse"
    common: bool = False
    zero: Zeros = "refuse"
    self_matches: Literal["auto", "keep", "drop"] = option("auto", "--self")
    sample: str = option("auto", pattern=r"^(auto|all|[1-9][0-9]{0,11})$")
    half_width: float | None = option(None, ge=0.001, lt=0.5)
    store_queries: str = option("500", pattern=r"^(all|[1-9][0-9]{0,11})$")
    memory: Annotated[str, AfterValidator(_size)] | None = None
    permutations: int | None = option(None, ge=99, le=1_000_000, strict=True)
    calibrate: int = option(0, ge=0, le=100_000, strict=True)
    measures: Annotated[tuple[str, ...], BeforeValidator(_named_list)] = option((), "--measure")
    baseline: Baseline = option("beside", "--baseline/--no-baseline")
    seed: int = option(0, ge=0, le=2**63 - 1, strict=True)
    cache: Annotated[str, BeforeValidator(str)] = ""
    layout: Literal["pca", "umap", "none"] = "pca"
    aliases: dict[str, str] = option({})

    @property
    def ranking(self) -> tuple[str, ...]:
        """The models that rank texts without a dense vector of them."""
        return tuple(name for name in self.models if ranks(self.aliases.get(name, name)))

    @property
    def spaces(self) -> tuple[str, ...]:
        """The models with a dense vector of each text: those that have a collection."""
        return tuple(name for name in self.models if name not in self.ranking)

    def to_toml(self) -> str:
        """Return the text of ``run.toml``; settings that are None are left out."""
        import tomli_w

        return tomli_w.dumps({key: value for key, value in self.model_dump(mode="json").items() if value is not None})

    @classmethod
    def from_toml(cls, path: Path) -> RunConfig:
        """Read a ``run.toml``.

        Raises
        ------
        DataError
            When the file is missing or no TOML.
        ParameterError
            When a setting in it does not hold.
        """
        refuse_endless(path)
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"The configuration must exist. Got {path}, which does not. Check the path.") from None
        except (OSError, ValueError, RecursionError) as error:  # TOML's own error is a ValueError
            found = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f"A configuration must be a UTF-8 TOML file. Got {path}: {found}. Mend the file.") from None
        return cls.checked(**settings)


class EvaluationConfig(Settings):
    """All settings of one evaluation.

    Parameters
    ----------
    models : tuple of str
        Model, or ALIAS=MODEL to show it as ALIAS; repeat. See 'embdiff models'.
    task : str or None
        retrieval, pairs, classes, bitext or scope. Default: found from the data; bitext only where it is asked for,
        scope where --outside is given.
    qrels : str
        Judgements: NAME of qrels/NAME.tsv, or a file.
    k : int or None
        Depth of ranked lists (default 1000), neighbours that vote for a class (5), or which nearest text tells what is
        out of scope (1).
    measures : tuple of str
        Measure, such as hit@1; repeat. Default: the usual ones of the task. See 'embdiff measures'.
    metric : str
        cosine, ip or l2.
    missing : str
        Judged queries that are not among the queries: drop (left out), zero (they count as 0, trec_eval -c), or auto:
        dropped unless most are missing, which is refused.
    self_matches : str
        Documents that are the query itself: keep, or drop, as BEIR does.
    runs : tuple of Path
        TREC run to score beside the models; repeat.
    baseline : bool
        Whether bm25 stands beside the models. Default: yes.
    shots : int
        Training texts per class in a draw of the probe; 0: all, once.
    draws : int
        Draws of the probe.
    text_column : str or None
        Name or 0-based position of the text column, or a template such as '{title} {text}'. Default: title and text.
    label_column : str or None
        Name or 0-based position of the label column.
    left_column : str or None
        Name or 0-based position of the first text of pairs, or of the left side of parallel texts.
    right_column : str or None
        Name or 0-based position of the second text of pairs, or of the right side of parallel texts.
    score_column : str or None
        Name or 0-based position of the numbers of pairs, or of their labels.
    positive : tuple of str
        Label of pairs that mean alike, such as entailment; all others do not; repeat.
    outside : tuple of str
        Label of texts that are of no known class (task scope); repeat.
    by : str or None
        Name or 0-based position of a column by whose values the scores are told, too, such as lang: of the queries, the
        pairs, the texts to classify, or the left side of parallel texts.
    quotes : bool or None
        Whether quotes in csv and tsv files hold cells together. Default: yes; refused where nothing tells.
    header : bool or None
        Whether line 1 of csv and tsv files names the columns. Default: found from its cells.
    encoding : str or None
        Encoding of text files, such as cp1252 or utf-16. Default: UTF-8.
    chunk : str or None
        Cut each document of a retrieval collection into chunks of at most so many tokens, 200 or heading:200; it is
        found where its best chunk is. Default: each is whole.
    seed : int
        Seed of intervals, tests, split and draws.
    cache : str
        Folder of kept vectors, DIR?precision=float16, or off. Default: EMBDIFF_CACHE, else your cache folder.
    """

    models: tuple[str, ...] = option((), "-m", "--model")
    task: Task | None = None
    qrels: str = "test"
    k: int | None = option(None, "-k", ge=1, le=MOST, strict=True)
    measures: Annotated[tuple[str, ...], BeforeValidator(_named_list)] = option((), "--measure")
    metric: _Metric = "cosine"
    missing: Literal["auto", "drop", "zero"] = "auto"
    self_matches: Literal["keep", "drop"] = option("keep", "--self")
    runs: tuple[Path, ...] = option((), "--run")
    baseline: bool = option(True, "--baseline/--no-baseline")
    shots: int = option(8, ge=0, le=MOST, strict=True)
    draws: int = option(10, ge=1, le=100_000, strict=True)
    text_column: str | None = None
    label_column: str | None = None
    left_column: str | None = None
    right_column: str | None = None
    score_column: str | None = None
    positive: Annotated[tuple[str, ...], BeforeValidator(_named_list)] = ()
    outside: Annotated[tuple[str, ...], BeforeValidator(_named_list)] = ()
    by: str | None = None
    quotes: bool | None = None
    header: bool | None = None
    encoding: str | None = None
    chunk: _Chunk | None = None
    seed: int = option(0, ge=0, le=2**63 - 1, strict=True)
    cache: Annotated[str, BeforeValidator(str)] = ""


class JudgingConfig(Settings):
    """Which results of a run are judged.

    Parameters
    ----------
    queries : int
        How many queries to judge.
    depth : int or None
        Results of each model that are pooled. Default 5.
    order : str
        disputed (most disputed queries first), random, or weighted (drawn, disputed ones rather, with known chances).
    baseline : bool
        Whether bm25's results, if there are any, are judged too. Default: yes.
    seed : int
        Seed of the blind order, intervals and tests.
    """

    queries: int = option(20, ge=1, le=MOST, strict=True)
    depth: int | None = option(None, le=MOST, strict=True)
    order: Order = "disputed"
    baseline: bool = option(True, "--baseline/--no-baseline")
    seed: int = option(0, ge=0, le=2**63 - 1, strict=True)


def worst_case(queries: int, rows: int) -> float:
    """Return the half-width of the 95 % interval of a mean in [0, 1] over ``queries`` of ``rows``, at the very worst.

    No value in [0, 1] has a standard deviation above 1/2.
    """
    return 1.959964 * 0.5 / math.sqrt(queries) * math.sqrt(max(0.0, 1.0 - queries / rows))


def worst_case_queries(half_width: float, rows: int) -> int:
    """Return the fewest queries of ``rows`` whose `worst_case` is at most ``half_width``."""
    endless = (1.959964 * 0.5 / half_width) ** 2
    return min(rows, math.ceil(endless / (1.0 + endless / rows)))
