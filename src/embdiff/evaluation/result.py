"""The Evaluation: numbers on labelled data, shown and saved."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embdiff import _files, _names
from embdiff._plain import plain
from embdiff.corpus.trec import write_qrels, write_run
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.evaluation import report
from embdiff.evaluation.outcome import UNITS, Outcome
from embdiff.evaluation.together import Gain
from embdiff.headline import Headline, by_first_measure
from embdiff.measures.differences import Differences
from embdiff.records import Score
from embdiff.views.exports import cell
from embdiff.views.markdown import markdown
from embdiff.views.table import Part, plain_text

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
_FILE = "evaluation.json"
_UNITS = {**UNITS, "retrieval": "judged queries"}


class Evaluation:
    """What `evaluate` found. ``print`` it for the tables.

    Parameters
    ----------
    outcome : Outcome
    differences : tuple of Differences
    how : str
        How the task was found.
    seed : int
    """

    def __init__(self, outcome: Outcome, differences: Sequence[Differences], how: str, seed: int) -> None:
        self.outcome, self.differences = outcome, tuple(differences)
        self._how, self._seed = how, seed

    @property
    def task(self) -> str:
        """``retrieval``, ``pairs``, ``classes``, ``bitext`` or ``scope``."""
        return self.outcome.task

    @property
    def headline(self) -> Headline:
        """What was found, in a sentence: by the first measure."""
        return by_first_measure(self.scores, self.differences, units=_UNITS[self.task])

    @property
    def scores(self) -> tuple[Score, ...]:
        """Every number, with interval, chance level and n."""
        return self.outcome.scores

    def score(self, measure: str, model: str) -> Score:
        """Return one number.

        Raises
        ------
        UnknownNameError
            When there is no such measure or model here.
        """
        for score in self.scores:
            if (score.measure, score.models[0]) == (measure, model):
                return score
        measures = dict.fromkeys(each.measure for each in self.scores)
        models = dict.fromkeys(each.models[0] for each in self.scores)
        raise UnknownNameError(
            f"A score must be of a measure and a model of this evaluation: {', '.join(measures)}; {', '.join(models)}. "
            f"Got {measure!r} and {model!r}. Choose among these."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the scores as a data frame, one row each."""
        import pandas as pd

        return pd.DataFrame([{**score.to_dict(), "model": score.models[0]} for score in self.scores])

    def together_frame(self) -> pd.DataFrame:
        """Return what every two models reach together as a data frame, one row each; empty but for retrieval."""
        import pandas as pd

        columns = list(Gain.__dataclass_fields__)
        return pd.DataFrame([gain.to_dict() for gain in self.outcome.together], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values (``null`` for what is undefined)."""
        told = self.outcome.to_dict()
        if self.task != "classes":
            del told["draws"], told["confusions"]
        for name in ("by_file", "by_group", "cuts"):
            if not told[name]:
                del told[name]
        about = {"evaluation": VERSION, "task_found": self._how, "seed": self._seed}
        return {**about, "headline": self.headline.to_dict(), **told, "differences": plain(self.differences)}

    def to_markdown(self) -> str:
        """Return the headline as Markdown with its numbers as tables, for the summary of a CI job."""
        return markdown(self.headline, self.outcome.about)

    def save(self, folder: str | Path) -> Path:
        """Write evaluation.json, values.csv (one value per query, pair or text), and for retrieval TREC's files."""
        with evaluation_folder(Path(folder)) as part:
            self.write(part)
        return Path(folder)

    def write(self, folder: Path) -> None:
        """Write the files of `save` into a folder that is there (see `evaluation_folder`)."""
        _files.write_text(folder / "values.csv", self._values())
        notes = self._write_trec(folder) if self.outcome.runs else []
        _files.write_json(folder / _FILE, {**self.to_dict(), "notes": [*self.outcome.notes, *notes]})

    def _values(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("unit", "measure", "model", "value"))
        for score in self.scores:
            for unit, value in zip(self.outcome.units, score.per_query or (), strict=False):
                written = "" if math.isnan(value) else value
                writer.writerow((cell(unit), score.measure, cell(score.models[0]), written))
        return out.getvalue()

    def _write_trec(self, part: Path) -> list[str]:
        """Write judgements and runs; ids with white space have no place in these formats, and are told."""
        assert self.outcome.qrels is not None
        (part / "runs").mkdir()
        stems = _names.file_names(self.outcome.runs)
        try:
            write_qrels(self.outcome.qrels, part / "qrels.txt")
            for place, (model, run) in enumerate(self.outcome.runs.items(), start=1):
                write_run(run, part / "runs" / f"{place:02}-{stems[model]}.run", tag=model)
        except DataError as error:
            return [f"The TREC files were not written: {error}"]
        return []

    def __repr__(self) -> str:
        return plain_text(self.drawn(), width=100)

    def drawn(self, *, everything: bool = False) -> Iterator[Part]:
        """Yield the lines and tables, for a terminal: the answer, or everything."""
        parts = report.parts if everything else report.answer
        return parts(self.outcome, self.differences, self._how, self.headline)


@contextmanager
def evaluation_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, put in place as a whole when the block ends well.

    Raises
    ------
    ParameterError
        When the target cannot be written, or is neither new, empty, nor an earlier evaluation, and would be lost.
    """
    _names.place_for(target, "folder of an evaluation")
    if target.exists() and not (target / _FILE).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise ParameterError(
            f"The folder of an evaluation must be new, empty, or an earlier one. Got {target}, which holds something "
            "else. Name another folder with --out."
        )
    with _files.whole_folder(target, what="folder of an evaluation") as part:
        yield part
