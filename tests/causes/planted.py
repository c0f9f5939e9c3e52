"""Corpora in which it is known why two models differ: one cause each, planted by a seed, beside a little noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import embdiff as ed
from embdiff.causes import CAUSES, SHORT, Why
from embdiff.comparison.settings import read_inputs, resolve
from embdiff.comparison.stages import encode, fill, search
from embdiff.comparison.why import why
from embdiff.comparison.work import Work
from embdiff.kept import OFF
from embdiff.records import Stamp
from embdiff.sources.batches import Model
from embdiff.sources.encoder import Encoder
from embdiff.stores import get_store

ROWS, TOPICS, DIM, K = 600, 30, 48, 10
NOISE = 0.01
COMMON, TOPIC, OWN = 1.0, 0.42, 0.58


class Planted(Model):
    """Vectors that were made before; counts words as tokens where it has a limit."""

    batch_items = 4096
    same_roles = True
    counts_tokens = True

    def __init__(self, texts: Sequence[str], vectors: np.ndarray, stamp: Stamp) -> None:
        self._vectors = dict(zip(texts, vectors.astype(np.float32), strict=True))
        self._stamp, self.length_limit = stamp, stamp.max_tokens

    def encode(self, items, *, role):
        return np.stack([self._vectors[item] for item in items])

    def lengths(self, items, role):
        return np.array([len(item.split()) for item in items], dtype=np.int64)

    def stamp(self) -> Stamp:
        return self._stamp


@dataclass
class World:
    """A corpus, the vectors of two models with and without what was planted, and the rows it was planted in.

    ``third``: vectors of the second model in another setting, whose stamp has ``setting``.
    """

    texts: list[str]
    a: np.ndarray
    b: np.ndarray
    clean_a: np.ndarray
    clean_b: np.ndarray
    planted: set[int] = field(default_factory=set)
    partners: Mapping[int, set[int]] | None = None  # of words: the queries of each planted row
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int | None = None
    setting: dict[str, Any] = field(default_factory=dict)
    index: str = "flat"
    other: Sequence[str] | None = None  # of script and language: whose row differs from the query


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rare(rng: np.random.Generator, count: int) -> list[str]:
    """Words that hardly anything else holds."""
    return [
        "".join(rng.choice(list("bcdfghklmnprstvz")) + rng.choice(list("aeiou")) for _ in range(4))
        for _ in range(count)
    ]


VOCABULARY = rare(np.random.default_rng(7), 400)


def sentence(rng: np.random.Generator, count: int) -> list[str]:
    """Common words, of which no topic has its own; now and then one says no."""
    said = [VOCABULARY[int(at)] for at in rng.integers(0, len(VOCABULARY), count)]
    return [*said[:3], "not", *said[3:]] if rng.random() < 0.2 else said


def base(rng: np.random.Generator, noise: float = NOISE) -> World:
    """A corpus of topics, and two models that differ by noise alone."""
    common, topics = unit(rng.normal(size=(1, DIM))), unit(rng.normal(size=(TOPICS, DIM)))
    of = np.arange(ROWS) % TOPICS
    vectors = COMMON * common + TOPIC * topics[of] + OWN * unit(rng.normal(size=(ROWS, DIM)))
    texts = [" ".join(sentence(rng, int(n))) for n in np.exp(rng.uniform(np.log(14), np.log(40), ROWS))]
    moved = vectors + noise * rng.normal(size=vectors.shape) / np.sqrt(DIM)
    return World(texts, vectors, moved, vectors, moved)


def elsewhere(rng: np.random.Generator, world: World, rows: np.ndarray, model: str = "b") -> None:
    """Move the rows, as one model sees them, to where another topic is."""
    vectors = getattr(world, model).copy()
    vectors[rows] = vectors[(rows + 1 + rng.integers(1, TOPICS - 1)) % ROWS] + 0.3 * unit(
        rng.normal(size=(len(rows), DIM))
    )
    setattr(world, model, vectors)


def rows_of(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.sort(rng.permutation(ROWS)[:count])


def truncated(rng: np.random.Generator) -> World:
    world = base(rng)
    rows = rows_of(rng, 50)
    for row in rows:
        world.texts[row] = " ".join(sentence(rng, int(rng.integers(42, 60))))
    elsewhere(rng, world, rows)
    return replace(world, planted=set(rows.tolist()), limit=40)


def hub(rng: np.random.Generator) -> World:
    world = base(rng)
    rows = rows_of(rng, 4)
    centre = world.a.mean(axis=0)
    b = world.b.copy()
    b[rows] = centre + 0.1 * unit(rng.normal(size=(len(rows), DIM)))
    return replace(world, b=b, planted=set(rows.tolist()))


def swapped(
    change: Callable[[np.random.Generator, list[str]], tuple[list[str], list[str]]],
) -> Callable[[np.random.Generator], World]:
    """Two near copies, of which either model returns another one: the second stands apart in the first model."""

    def make(rng: np.random.Generator) -> World:
        world = base(rng)
        rows = rows_of(rng, 80).reshape(2, 40)
        a, b, clean = world.a.copy(), world.b.copy(), world.clean_b.copy()
        for one, other in rows.T:
            first, second = change(rng, sentence(rng, 20))
            world.texts[one], world.texts[other] = " ".join(first), " ".join(second)
            apart = -a.mean(axis=0) + 0.5 * unit(rng.normal(size=(1, DIM)))[0]
            b[other], b[one] = b[one], apart
            a[other], clean[other] = apart, apart
        return replace(world, a=a, b=b, clean_a=a, clean_b=clean, planted=set(rows.ravel().tolist()))

    return make


def _one_word(rng, words):
    return words, [*words[:5], *rare(rng, 1), *words[6:]]


def _numbers(rng, words):
    one, other = rng.choice(900, 2, replace=False) + 100
    return ([*words[:12], str(each), *words[12:]] for each in (one, other))


def _negation(rng, words):
    return words, [*words[:7], "not", *words[7:]]


def _names(rng, words):
    one, other = (word.capitalize() for word in rare(rng, 2))
    return ([*words[:12], each, *words[12:]] for each in (one, other))


def apart_by(rng: np.random.Generator) -> tuple[World, np.ndarray]:
    """The second model keeps two languages apart, which the first mixes."""
    world = base(rng)
    other = np.zeros(ROWS, dtype=bool)
    other[rows_of(rng, ROWS // 3)] = True
    direction = unit(rng.normal(size=(1, DIM)))
    return replace(world, b=world.b + np.where(other, 0.7, -0.7)[:, None] * direction), other


def script(rng: np.random.Generator) -> World:
    world, other = apart_by(rng)
    cyrillic = str.maketrans("bcdfghklmnprstvzaeiou", "бцдфгхклмнпрствзаеиоу")
    texts = [text.translate(cyrillic) if there else text for text, there in zip(world.texts, other, strict=True)]
    return replace(world, texts=texts, other=["c" if there else "l" for there in other])


def language(rng: np.random.Generator) -> World:
    world, other = apart_by(rng)
    names = tuple("de" if there else "en" for there in other)
    return replace(world, columns={"lang": names}, other=names)


def length(rng: np.random.Generator) -> World:
    world = base(rng)
    rows = rows_of(rng, 30)
    for row in rows:
        world.texts[row] = " ".join(sentence(rng, 14) * 30)
    elsewhere(rng, world, rows)
    return replace(world, planted=set(rows.tolist()))


def tie(rng: np.random.Generator) -> World:
    """The second model cannot tell most rows of some topics from each other."""
    world = base(rng)
    b, planted = world.b.copy(), set()
    for topic in rng.permutation(TOPICS)[:8]:
        rows = np.flatnonzero(np.arange(ROWS) % TOPICS == topic)[:16]
        b[rows] = b[rows[0]]
        planted |= set(rows.tolist())
    return replace(world, b=b, planted=planted)


def index(rng: np.random.Generator) -> World:
    return replace(base(rng), planted=set(range(ROWS)), index="ivf_flat(nlist=24,nprobe=1)")


def words(rng: np.random.Generator) -> World:
    """The first model finds a row by the rare words that it shares with queries of another topic."""
    world = base(rng)
    a, partners, free = world.a.copy(), {}, set(range(ROWS))
    for topic in [*rng.permutation(TOPICS), *rng.permutation(TOPICS), *rng.permutation(TOPICS)]:
        row, *mine = rng.choice(np.flatnonzero(np.arange(ROWS) % TOPICS == topic), 4, replace=False)
        row = (row + 1) % ROWS
        if row not in free or not free.issuperset(mine):
            continue
        free -= {row, *mine}
        shared = rare(rng, 8)
        for each in (row, *mine):
            world.texts[each] += " " + " ".join(shared)
        a[row] = a[mine].mean(axis=0) + 0.9 * OWN * unit(rng.normal(size=(1, DIM)))[0]
        partners[int(row)] = set(map(int, mine))
    return replace(world, a=a, planted=set(partners), partners=partners)


def other_setting(**setting: Any) -> Callable[[np.random.Generator], World]:
    """The second model is there a second time, in another setting, in which some rows lie where they should."""

    def make(rng: np.random.Generator) -> World:
        world = base(rng)
        elsewhere(rng, world, rows_of(rng, 50))
        return replace(world, planted=set(range(ROWS)), setting=setting)

    return make


def control(rng: np.random.Generator) -> World:
    """Nothing but noise, five times as much."""
    return base(rng, 5 * NOISE)


WORLDS: dict[str, Callable[[np.random.Generator], World]] = {
    "control": control,
    "truncated": truncated,
    "hub": hub,
    "prompt": other_setting(prompt="passage: "),
    "precision": other_setting(precision="int8"),
    "index": index,
    "tie": tie,
    "script": script,
    "language": language,
    "length": length,
    "duplicate": swapped(_one_word),
    "number": swapped(_numbers),
    "negation": swapped(_negation),
    "entity": swapped(_names),
    "words": words,
}


def compared(world: World, a: np.ndarray, b: np.ndarray, index: str = "flat") -> tuple[Work, tuple[Why, ...]]:
    """Walk the line of a comparison as far as the search, and say why the lists differ."""
    corpus = ed.Corpus(tuple(world.texts), tuple(map(str, range(ROWS))), columns=world.columns)
    stamps = {"a": Stamp("planted:a", "1", DIM), "b": Stamp("planted:b", "1", DIM, max_tokens=world.limit)}
    models = [Encoder(name, Planted(world.texts, each, stamps[name])) for name, each in (("a", a), ("b", b))]
    if world.setting:
        models.append(Encoder("b2", Planted(world.texts, world.clean_b, replace(stamps["b"], **world.setting))))
    given = {"k": K, "cache": "off", "index": index}
    config, objects = resolve(corpus, models, None, given)
    with TemporaryDirectory() as folder:
        uri = "memory:" if index == "flat" else f"milvus:{Path(folder) / 'planted.db'}"
        with get_store(uri) as store:
            work = encode(Work(config, read_inputs(corpus, config, given), OFF), objects)
            work = search(fill(work, store, "planted"))
            return work, why(work)


Unit = tuple[int, int]


def changed(world: World, a: np.ndarray, b: np.ndarray, index: str = "flat") -> dict[Unit, set[str]]:
    """Return the neighbours (query, row) that changed between the first two models, and their likely causes."""
    work, found = compared(world, a, b, index)
    named = dict(zip(SHORT, CAUSES, strict=False))
    lists = [each.returned.rows for each in work.answers[:2]]
    units: dict[Unit, set[str]] = {}
    for query, (here, there) in enumerate(zip(*lists, strict=True)):
        told = found[0].of_query(query)
        for row in set(here.tolist()) ^ set(there.tolist()) - {-1}:
            units[query, row] = {named[short] for short in told.get(row, ()) if short in named}
    return units


def undecided(world: World) -> set[Unit]:
    """Return what is in a list of the second model or not, as its ties happen to be broken."""
    found: list[set[Unit]] = []
    for seed in range(12):
        vectors = unit(world.b + 1e-7 * np.random.default_rng(seed).normal(size=world.b.shape))
        similarity = vectors @ vectors.T
        np.fill_diagonal(similarity, -2.0)
        best = np.argsort(-similarity, axis=1)[:, :K]
        found.append({(query, int(row)) for query, rows in enumerate(best) for row in rows})
    return set.union(*found) - set.intersection(*found)


def looked_for(name: str, seed: int) -> tuple[set[Unit], dict[Unit, set[str]]]:
    """Return the changed neighbours that changed for the cause planted, and all with the causes that were found."""
    world = WORLDS[name](np.random.default_rng(seed))
    planted = changed(world, world.a, world.b, world.index)
    if name == "control":
        return set(), planted
    without = changed(world, world.clean_a, world.clean_b)

    if name == "tie":
        return set(planted) & undecided(world), planted

    def is_of(query: int, row: int) -> bool:
        if world.other is not None:
            return world.other[query] != world.other[row]
        if name in ("duplicate", "number", "negation", "entity") and query in world.planted:
            return False  # a copy that stands apart asks for what it never was near to
        if world.partners is not None:
            return query in world.partners.get(row, ()) or row in world.partners.get(query, ())
        return row in world.planted or (name == "truncated" and query in world.planted)  # a query may be cut, too

    return {each for each in planted if each not in without and is_of(*each)}, planted
