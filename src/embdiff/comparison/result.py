"""The Comparison: one result, many outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from embdiff import _files, _names, runs
from embdiff._settings import typed
from embdiff.comparison import frames
from embdiff.comparison.again import models_again
from embdiff.comparison.frames import Disagreement
from embdiff.comparison.thresholds import ThresholdTable, carried_over
from embdiff.errors import ParameterError
from embdiff.headline import Headline
from embdiff.kept import Kept
from embdiff.measures import get_measure
from embdiff.measures.paired import PairedTest
from embdiff.records import Score
from embdiff.views import exports, html, payload, report, terminal
from embdiff.views.diff import QueryDiff, place_of, query_diffs
from embdiff.views.facts import Facts
from embdiff.views.markdown import markdown
from embdiff.views.widget import widget
from embdiff.views.words import title

if TYPE_CHECKING:
    import pandas as pd

Given = ParamSpec("Given")
Result = TypeVar("Result")


def _read(method: Callable[Concatenate[Comparison, Given], Result]) -> Callable[Concatenate[Comparison, Given], Result]:
    """Let a method say that a run folder does not fit together where what was read from it makes it fail."""

    @functools.wraps(method)
    def call(self: Comparison, /, *args: Given.args, **options: Given.kwargs) -> Result:
        with self.run.origin.reading():
            return method(self, *args, **options)

    return call


class Comparison:
    """What `compare` found. Shown in a notebook it is the answer, some queries, and every number folded.

    Parameters
    ----------
    run : runs.Run
        All records of the run.
    path : Path or None
        The run folder, None when nothing was written.
    """

    def __init__(self, run: runs.Run, path: Path | None = None) -> None:
        self.run = run
        self.path = path

    @property
    def scores(self) -> tuple[Score, ...]:
        """Every number of the run, with interval, chance level and n."""
        return self.run.scores

    @property
    def headline(self) -> Headline:
        """What was found, in a sentence, with the numbers behind it."""
        return self.run.headline

    def summary(self) -> pd.DataFrame:
        """Return the numbers behind the headline as a small data frame.

        Returns
        -------
        pandas.DataFrame
            With judgements or groups one row each model, the best first: measure, model, value, low, high, chance, n.
            Else one row for every two models, the closest first: models, of, value, low, high, chance, n, asked_with.
        """
        return frames.summary(self.run)

    def query(self, query: int | str) -> pd.DataFrame:
        """Return one query's neighbours side by side: a row for each place, a column for each collection.

        Parameters
        ----------
        query : int or str
            Row of the query (from 0), or its id.

        Raises
        ------
        ParameterError, UnknownNameError
            As for `diff`.
        """
        return frames.query(self.run, place_of(self.run, query))

    @_read
    def to_frame(self, *, baseline: bool | None = None) -> pd.DataFrame:
        """Return one row per (query, query model, collection, rank).

        Parameters
        ----------
        baseline : bool, optional
            Whether the rows of bm25 stand at the end (``query_model`` and ``model`` bm25). By default where it was
            named among the models.

        Returns
        -------
        pandas.DataFrame
            Columns query_id, query_model, model, rank (from 1), id, distance, similarity, self.
        """
        import pandas as pd

        answers = self.run.shown if baseline is None else (*self.run.answers, *(self.run.beside if baseline else ()))
        return pd.DataFrame(self.run.neighbor_columns(answers))

    @_read
    def scores_frame(self) -> pd.DataFrame:
        """Return the scores as a data frame, one row each."""
        import pandas as pd

        return pd.DataFrame([score.to_dict() for score in self.scores])

    @_read
    def curves_frame(self) -> pd.DataFrame:
        """Return every measure of agreement at several depths up to k: one row per pair, measure and depth.

        Returns
        -------
        pandas.DataFrame
            Columns measure (text form), k (the depth), models, query_model, value, low, high, chance, n, interval,
            reason.
        """
        import pandas as pd

        rows = [{**score.to_dict(), "k": get_measure(score.measure).k} for score in self.run.curves]
        columns = ["measure", "k", *(key for key in Score.__dataclass_fields__ if key not in ("measure", "per_query"))]
        return pd.DataFrame(rows, columns=columns)

    @_read
    def disagreement(self) -> Disagreement:
        """Return the queries and the rows by how much the models disagree about them, the most disputed first.

        Returns
        -------
        Disagreement
            Two data frames, ``queries`` and ``items``; empty when there are no two lists to compare. Queries are
            ordered by ``disagreement``, the mean over the pairs of collections of 1 - rbo(p=0.9)@k, in [0, 1]; rows by
            the mean over the pairs of the difference in how many of the queries return them, as a share.

        Notes
        -----
        bm25 counts where it was named among the models, or where there is but one model.
        """
        return frames.disagreement(self.run)

    @_read
    def differences_frame(self) -> pd.DataFrame:
        """Return the paired tests between collections in the measures of expected results, one row each.

        Returns
        -------
        pandas.DataFrame
            Columns query_model and those of `embdiff.measures.paired.PairedTest`; empty without expected results.
        """
        import pandas as pd

        rows = [{"query_model": asks, **test.to_dict()} for asks, each in self.run.differences for test in each.tests]
        return pd.DataFrame(rows, columns=["query_model", *PairedTest.__dataclass_fields__])

    @_read
    def hits_frame(self) -> pd.DataFrame:
        """Return hit or miss for each query with expected results, per query model and collection.

        Returns
        -------
        pandas.DataFrame
            Columns query_id, query_model, model, hit, rank (of the first expected result, <NA> for a miss); empty
            without expected results.
        """
        return frames.hits(self.run)

    @_read
    def diff(
        self,
        query: int | str,
        *,
        query_model: str | None = None,
        models: Sequence[str] | None = None,
        baseline: bool | None = None,
    ) -> QueryDiff:
        """Return one query as a diff: kept, moved, lost and gained between each pair of collections.

        Parameters
        ----------
        query : int or str
            Row of the query (from 0), or its id.
        query_model : str, optional
            Only this query model's results.
        models : sequence of str, optional
            Only these two models, the first one first.
        baseline : bool, optional
            Whether bm25 is compared with each collection, too. By default where it was named among the models.

        Raises
        ------
        ParameterError
            When the row is out of range.
        UnknownNameError
            When no query has the id, nothing was asked with the query model, or the run has no such two models.
        """
        return query_diffs(self.run, place_of(self.run, query), query_model, models, baseline=baseline)

    @typed
    @_read
    def thresholds(
        self, from_: str | None = None, to: str | None = None, at: float | Sequence[float] | None = None
    ) -> ThresholdTable:
        """Return what cut-offs of one model are in another: with the same pass rate, precision and recall.

        Parameters
        ----------
        from_, to : str, optional
            Models of this run; may be left out where it has two.
        at : float or sequence of float, optional
            Cut-offs of the first model, cosine similarities. By default five, from where the similarities of unrelated
            pairs end (95 %) to where those of nearest neighbours do.

        Raises
        ------
        DataError
            When a model has no cosine for some vectors.
        UnknownNameError
            When the run has no such model.
        ParameterError
            When models are left out though there are not two, or a cut-off is not in [-1, 1].
        """
        return carried_over(self.run, from_, to, at)

    @typed
    @_read
    def to_dict(self, queries: int | None = None) -> dict[str, Any]:
        """Return everything as JSON-able values (``null`` for what is undefined).

        Parameters
        ----------
        queries : int, optional
            Only the first so many queries; by default all.
        """
        return payload.build(self.facts(queries))

    def to_markdown(self) -> str:
        """Return the headline as Markdown with its numbers as tables, for the summary of a CI job."""
        return markdown(self.headline, title(self.run))

    def facts(self, queries: int | None = None) -> Facts:
        """Return what the views render; ``queries`` as for `to_dict`."""
        return Facts(self.run, queries, self.path)

    @typed
    @_read
    def to_html(self, path: str | Path | None = None) -> Path:
        """Write the report: one page that works offline, with linked maps and neighbour diffs.

        Parameters
        ----------
        path : str or Path, optional
            The file; ``report.html`` in the run folder by default.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ParameterError
            When there is no run folder and no path, or the file cannot be written.
        MissingDependencyError
            When the front end was not built into this installation.
        """
        if path is None and self.path is None:
            raise ParameterError(
                "A report of a run without a folder needs a file name. Got none. Name one: to_html('report.html')."
            )
        own = None if self.path is None else self.path / runs.REPORT_FILE
        target = Path(path) if path is not None else Path(own or "")
        inside = own is not None and _names.resolved(target) == _names.resolved(own)
        report.write(self.run, _names.place_for(target, "report"), inside=inside)
        return target

    @_read
    def to_widget(self) -> Any:
        """Return the linked maps, list and neighbour diff as a notebook widget (extra ``notebook``).

        ``widget.selection`` is the row of the query shown (set it to show another), ``widget.filtered`` the rows that
        lasso or histogram left in the list, None for all.
        """
        return widget(self.run)

    @typed
    @_read
    def to_parquet(self, path: str | Path) -> Path:
        """Write one row per corpus row: id, text, group, place in every map, neighbours in every collection."""
        exports.write_parquet(self.run, _names.place_for(Path(path), "export"))
        return Path(path)

    @typed
    @_read
    def to_embedding_atlas(self, path: str | Path, model: str | None = None) -> Path:
        """Write one model's map with its neighbours as Parquet for embedding-atlas (columns x, y, text, neighbors)."""
        exports.write_atlas(self.run, _names.place_for(Path(path), "export"), model)
        return Path(path)

    @typed
    @_read
    def to_projector(self, folder: str | Path) -> Path:
        """Write vectors and metadata as TSV for the embedding projector; models are loaded again for it."""
        with exports.projector_folder(_names.place_for(Path(folder), "export")) as part:
            again = models_again(self.run)
            exports.write_projector(self.run, {name: each.vectors for name, each in again.items()}, part)
        return Path(folder)

    @_read
    def to_jupyter_scatter(self) -> Any:
        """Return the maps as linked plots of jupyter-scatter (extra ``scatter``)."""
        return exports.jupyter_scatter(self.run)

    @typed
    def save(self, folder: str | Path) -> Path:
        """Write the run folder; an earlier run there is replaced.

        The database is not copied: where it was part of the run folder, the new folder says that there is none.

        Raises
        ------
        ParameterError
            When the folder holds anything but a run, or is the run's own, whose database would be lost; or when parts
            of this run are missing.
        """
        if self.run.unseen:
            raise ParameterError(
                f"A run must be whole to be written. Got one in which {self.run.unseen[0]} Run the comparison again."
            )
        target = runs.free_folder(Path(folder))
        if self.path is not None and target == _names.resolved(self.path):
            raise ParameterError(f"A run is in its own folder already. Got {folder}. Name another folder.")
        store = self.run.manifest["store"] if self.run.config.store else None
        with _files.whole_folder(target) as part:
            no_report = write_run(replace(self.run, manifest={**self.run.manifest, "store": store}), part, target)
        if no_report is not None:
            raise no_report
        return Path(folder)

    @_read
    def _repr_html_(self) -> str:
        return html.render(self.facts(html.QUERIES_SHOWN))

    @_read
    def __repr__(self) -> str:
        return terminal.text(self.facts(terminal.QUERIES_SHOWN), width=100)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparison) and self.run.same_as(other.run)

    __hash__ = None  # type: ignore[assignment]  # equality is by value and values hold arrays


def write_run(run: runs.Run, folder: Path, target: Path, kept: Kept | None = None) -> ParameterError | None:
    """Write the records of a run, and its report where this installation can make one.

    A report that cannot be written, when all else is, is no reason to lose the run: what there is to say of it is
    returned, to be raised once the folder has its name, ``target``.
    """
    run.write(folder)
    if report.is_built():
        page = report.page(run, kept)
        try:
            runs.write_into(folder, runs.REPORT_FILE, page)
        except OSError as error:
            return ParameterError(
                f"The report must be written beside the run. Got {_files.reason(error)}. The run itself is whole, "
                f"without the report, in {target}: make room and write it with 'embdiff report {target}'."
            )
    return None


@typed
def load(path: str | Path, *, damaged: bool = False, trust: bool = False) -> Comparison:
    """Open a run folder again. It is data: nothing that it names is loaded or opened for that.

    Parameters
    ----------
    path : str or Path
    damaged : bool
        Open it without the parts that are missing or changed, where it can be looked at without them; its notes say
        what is not shown.
    trust : bool
        Let exports and the live page load and open whatever the folder names: models with code of their own, other
        hosts, places outside the folder. Only for a folder of somebody whom you trust.

    Raises
    ------
    DataError
        When the folder is no whole run, or parts of it are not as they were written.
    """
    folder = Path(path)
    _names.place_for(folder, "run")
    result = Comparison(runs.Run.read(folder, damaged=damaged, trusted=trust), folder)
    with result.run.origin.reading():
        result.facts(0).manifest  # noqa: B018 (read now: whoever looks at it later finds it whole)
    return result
