"""A run folder changed at random, 1,500 times: it opens as it was, or is refused by name; never a traceback."""

from __future__ import annotations

import json
import random
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

import embdiff as ed
from embdiff.errors import EmbdiffError
from embdiff.views import report
from forged_runs import forge, forge_json

CELLS, A_CELL = 150, 10  # cells of so many mutations each; two in three of them damage, the others forge
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1e308, 10**30, "x", "", [], {}, [None], {"a": 1}, "\ud800", "\x1b[2J", [["x"]], "nan", 2**53,
)  # fmt: skip
TEXTS = [f"{word} number {at}" for at in range(8) for word in ("cats", "dogs", "birds")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("made") / "run"
    expected = {str(at): {str((at + 1) % 24): 1} for at in range(24)}
    ed.compare(
        TEXTS, ["toy:8", "toy:16"], k=4, store="memory:", cache="off", expected=expected, calibrate=20, permutations=99,
        groups=[text.split()[0] for text in TEXTS], out=out,
    )  # fmt: skip
    return ed.load(out)


def files_of(run: Path) -> list[Path]:
    return sorted(path for path in run.iterdir() if path.is_file())


def flipped(run: Path, draw: random.Random) -> str:
    path = draw.choice(files_of(run))
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 1, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    return path.name


def replaced(run: Path, draw: random.Random) -> str:
    path = draw.choice(files_of(run))
    whole = path.read_bytes()
    path.unlink()
    how = draw.choice(("gone", "empty", "cut", "longer", "noise", "nested", "null", "other", "folder", "link", "loop"))
    if how == "folder":
        path.mkdir()
    elif how in ("link", "loop"):
        path.symlink_to(path if how == "loop" else "/etc/hostname")
    elif how != "gone":
        nested = b"a=" * path.name.endswith("toml") + b"[" * 100_000
        other = draw.choice([each for each in files_of(run) if each != path]).read_bytes()
        parts = {"empty": b"", "cut": whole[: draw.randrange(len(whole))], "longer": whole + b"\n" * draw.randint(1, 9),
                 "noise": draw.randbytes(3_000), "nested": nested, "null": b"null", "other": other}  # fmt: skip
        path.write_bytes(parts[how])
    return f"{path.name} {how}"


def foreign(run: Path, draw: random.Random) -> str:
    name = draw.choice(
        ("notes.txt", "evil.py", "arrays.parquet.bak", ".manifest.json.0123", "modules.json", "milvus.db")
    )
    if draw.random() < 0.5:
        (run / name).write_bytes(draw.randbytes(50))
    else:
        (run / name).mkdir()
    return f"foreign {name}"


def newer(run: Path, draw: random.Random) -> str:
    told = json.loads((run / "manifest.json").read_text())
    told["format"] = draw.choice((1, 2, 4, 5, 99, -3, "3", 3.5, None, [], True))
    (run / "manifest.json").write_text(json.dumps(told))
    return f"format {told['format']!r}"


def retyped(run: Path, draw: random.Random) -> str:
    path = draw.choice([path for path in files_of(run) if path.suffix == ".json"])
    value, what = _changed(json.loads(path.read_text()), draw)
    path.write_text(json.dumps(value))
    return f"{path.name} {what}"


def forged_json(run: Path, draw: random.Random) -> str:
    names = [path.name for path in files_of(run) if path.suffix == ".json"]
    name = draw.choice([*names, "manifest.json", "manifest.json"])
    value, what = _changed(json.loads((run / name).read_text()), draw)
    forge_json(run, name, value)
    return f"forged {name} {what}"


def forged_toml(run: Path, draw: random.Random) -> str:
    told = tomllib.loads((run / "run.toml").read_text())
    key = draw.choice([*told, "models", "k", "metric", "strange"])
    value = draw.choice([each for each in VALUES if each not in (None, "\ud800", 10**30) and each != [None]])
    (run / "run.toml").write_text(tomli_w.dumps({**told, key: value}))
    forge(run)
    return f"forged run.toml {key} = {value!r}"


def forged_table(run: Path, draw: random.Random) -> str:
    path = run / draw.choice(
        ("corpus.parquet", "queries.parquet", "arrays.parquet", "arrays.parquet", "arrays.parquet")
    )
    table = pq.read_table(path)
    at = draw.randrange(table.num_columns)
    name = table.column_names[at]
    how = draw.choice(("gone", "renamed", "rows", "type", "values", "values", "null"))
    if how == "gone":
        table = table.remove_column(at)
    elif how == "renamed":
        table = table.rename_columns([f"{each}x" if each == name else each for each in table.column_names])
    elif how == "rows":
        table = table.slice(0, table.num_rows // 2)
    else:
        table = table.set_column(at, name, _column(table.column(at).combine_chunks(), how, draw))
    pq.write_table(table, path)
    forge(run)
    return f"forged {path.name} {name} {how}"


def _column(column: Any, how: str, draw: random.Random) -> Any:
    values = column.to_pylist()
    if how == "null":
        return pa.array([None] * len(values), column.type)
    if how == "type":
        return pa.array([draw.choice((1, None))] * len(values), pa.int64())
    if values and isinstance(values[0], list):
        numbers = list(values[0])
        for _ in range(draw.choice((1, len(numbers)))):
            if numbers:
                numbers[draw.randrange(len(numbers))] = draw.choice((0, 1, -1, -7, 120)) if pa.types.is_integer(
                    column.type.value_type) else draw.choice((0.0, -5.0, 1e30, float("nan"), float("inf")))  # fmt: skip
        numbers = numbers[: draw.choice((len(numbers), len(numbers), len(numbers) // 2))]
        if pa.types.is_boolean(column.type.value_type):
            numbers = [not each for each in values[0]]
        return pa.array([numbers], column.type)
    return pa.array([draw.choice(("", "\x1b[2J", str(each))) for each in values], column.type)


def _changed(value: Any, draw: random.Random) -> tuple[Any, str]:
    """Return a JSON value with something in it replaced, and where."""
    places = list(_places(value))
    place, new = draw.choice(places), draw.choice(VALUES)
    return _put(value, place, new), f"{'.'.join(map(str, place))} = {new!r}"


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*at, key))
    elif isinstance(value, list):
        for key in range(min(len(value), 3)):
            yield from _places(value[key], (*at, key))


def _put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    value[place[0]] = _put(value[place[0]], place[1:], new)
    return value


def looked_at(run: Path, page: Path, **how: Any) -> ed.Comparison:
    """Open a run and look at it in every way."""
    found = ed.load(run, **how)
    repr(found)
    json.dumps(found.to_dict(), allow_nan=False)
    found.diff(0)
    found.disagreement()
    found.to_frame()
    found.hits_frame()
    found.to_parquet(page.with_suffix(".parquet"))
    if report.is_built():
        found.to_html(page)
    return found


def refusal(look: Callable[[], Any], what: str) -> str:
    """Return with what words a run is refused, "" where it is not."""
    try:
        look()
    except EmbdiffError as error:
        told = str(error)
    except BaseException as error:
        raise AssertionError(f"a traceback after: {what}") from error
    else:
        told = ""
    assert len(told) < 600, what
    return told


DAMAGE = (flipped, flipped, flipped, replaced, replaced, retyped, retyped, foreign, newer)
FORGERY = (forged_json, forged_json, forged_toml, forged_table)


@pytest.mark.battery(one_in=10)
@pytest.mark.parametrize("cell", range(CELLS))
def test_a_run_folder_opens_as_it_was_or_is_refused_by_name(made, cell, tmp_path):
    draw, whole = random.Random(cell), Path(str(made.path))
    for at in range(A_CELL):
        run = Path(shutil.copytree(whole, tmp_path / f"run {at}"))
        if (cell + at) % 3 == 2:
            what = draw.choice(FORGERY)(run, draw)
            refusal(lambda run=run: looked_at(run, tmp_path / "page.html"), what)
            continue
        what = draw.choice(DAMAGE)(run, draw)
        opened: list[ed.Comparison] = []
        told = refusal(lambda run=run, to=opened: to.append(looked_at(run, tmp_path / "page.html")), what)
        if told:
            assert str(run) in told, what
            assert what.startswith(("format", "foreign")) or what.split()[0].strip("'") in told, f"{what}: {told}"
        else:
            assert opened[0] == made, f"a silent difference after: {what}"
        lenient: list[ed.Comparison] = []
        if not refusal(
            lambda run=run, to=lenient: to.append(looked_at(run, tmp_path / "page.html", damaged=True)), what
        ):
            assert lenient[0].run.unseen or lenient[0] == made, f"a silent difference after: {what}, opened as damaged"
        shutil.rmtree(run)
