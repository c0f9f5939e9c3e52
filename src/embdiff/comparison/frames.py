"""Tables of a run that take more than a line: which queries and rows are disputed, and which are hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from embdiff.headline import Shared
from embdiff.runs import Run
from embdiff.views import disputed
from embdiff.views.facts import Facts

if TYPE_CHECKING:
    import pandas as pd


class Disagreement(NamedTuple):
    """Queries and rows of a comparison, the most disputed first; see `Comparison.disagreement`."""

    queries: pd.DataFrame
    items: pd.DataFrame


def disagreement(run: Run) -> Disagreement:
    """Return what `Comparison.disagreement` returns."""
    import pandas as pd

    found = disputed.disagreement(run)
    crossed = bool(run.config.query_models)
    queries = [(each.id, each.text, each.value, each.overlap, each.row) for each in found.queries] if found else []
    items = [
        {
            "id": each.id,
            "text": each.text,
            "disagreement": each.value,
            "only_one": each.only_one,
            "place_change": each.place_change,
            **{disputed.column(returned, crossed): returned.queries for returned in each.returned},
        }
        for each in (found.items if found else ())
    ]
    columns = ["id", "text", "disagreement", "only_one", "place_change"]
    return Disagreement(
        pd.DataFrame(queries, columns=["id", "text", "disagreement", "overlap_disagreement", "row"]),
        pd.DataFrame(items) if items else pd.DataFrame(columns=columns),
    )


def hits(run: Run) -> pd.DataFrame:
    """Return what `Comparison.hits_frame` returns."""
    import pandas as pd

    rows = [
        (result.id, answer.query_model, answer.model, answer.expected_rank)
        for result in Facts(run).results
        if result.expected
        for answer in result.answers
    ]
    frame = pd.DataFrame(rows, columns=["query_id", "query_model", "model", "rank"])
    frame["rank"] = frame["rank"].astype("Int64")
    frame.insert(3, "hit", frame["rank"].notna())
    return frame


def summary(run: Run) -> pd.DataFrame:
    """Return what `Comparison.summary` returns."""
    import pandas as pd

    found = run.headline
    if found.standings:
        return pd.DataFrame([{"measure": found.measure, **each.to_dict()} for each in found.standings])
    rows = [{**each.to_dict(), "models": " | ".join(each.models)} for each in found.agreement]
    return pd.DataFrame(rows, columns=list(Shared.__dataclass_fields__))


def query(run: Run, asked: int) -> pd.DataFrame:
    """Return what `Comparison.query` returns, of the query in row ``asked``."""
    import pandas as pd

    ids = run.corpus.ids
    columns = {}
    for answer in run.shown:
        crossed = "" if answer.query_model == answer.model else f" asked with {answer.query_model}"
        listed = [ids[row] for row in answer.returned.rows[asked].tolist() if row >= 0]
        columns[f"{answer.model}{crossed}"] = pd.Series(listed, index=range(1, len(listed) + 1), dtype=object)
    return pd.DataFrame(columns).rename_axis("rank")
