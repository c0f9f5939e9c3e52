"""Tables of a run that take more than a line: which queries and rows are disputed, and which are hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embdiff.runs import Run
from embdiff.views import disputed, payload

if TYPE_CHECKING:
    import pandas as pd


class Disagreement(NamedTuple):
    """Queries and rows of a comparison, the most disputed first; see `Comparison.disagreement`."""

    queries: pd.DataFrame
    items: pd.DataFrame


def disagreement(run: Run) -> Disagreement:
    """Return what `Comparison.disagreement` returns."""
    import pandas as pd

    found = disputed.disagreement(run) or {"queries": [], "items": []}
    crossed = bool(run.config.query_models)
    queries = [(row["id"], row["text"], row["value"], row["overlap"], row["row"]) for row in found["queries"]]
    items = [
        {
            "id": row["id"],
            "text": row["text"],
            "disagreement": row["value"],
            "only_one": row["only_one"],
            "place_change": np.nan if row["place_change"] is None else row["place_change"],
            **{disputed.column(each, crossed): each["queries"] for each in row["returned"]},
        }
        for row in found["items"]
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
        (found["id"], answer["query_model"], answer["model"], answer["expected_rank"])
        for found in (payload.query_result(run, row) for row in range(len(run.queries)))
        if found["expected"]
        for answer in found["answers"]
    ]
    frame = pd.DataFrame(rows, columns=["query_id", "query_model", "model", "rank"])
    frame["rank"] = frame["rank"].astype("Int64")
    frame.insert(3, "hit", frame["rank"].notna())
    return frame
