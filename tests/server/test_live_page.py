"""The live page's server: right answers for its own page, and refusals for everybody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import embdiff as ed
from embdiff.comparison.again import models_again
from embdiff.errors import DataError, ParameterError
from embdiff.judging.book import Book, TypedQueries
from embdiff.judging.labels import JUDGE, Labels
from embdiff.server.app import application
from embdiff.server.asking import Asker
from embdiff.views import drawn, report
from embdiff.views.packing import pack
from live_server import Served

pytestmark = [
    pytest.mark.floors,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
TOKEN, HOST = "the-token", "127.0.0.1:4711"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("live") / "run"
    return ed.compare("sample", ["toy:16", "toy:64"], k=4, store="memory:", out=out)


@pytest.fixture
def typed(tmp_path: Path) -> TypedQueries:
    return TypedQueries(tmp_path / "run.queries.jsonl")


@pytest.fixture
def labels(result: ed.Comparison, tmp_path: Path) -> Labels:
    return Labels(tmp_path / "run", result.run)


@pytest.fixture
def client(result: ed.Comparison, labels: Labels) -> Iterator[TestClient]:
    asker = Asker(result.run, models_again(result.run), None, {}, {})

    async def ask_of(what: str, wanted: dict[str, Any]) -> Any:
        return getattr(asker, what)(**wanted)

    app = application(
        ask_of, labels, pack(result.run), "a title <b>", indexes=asker.indexes, token=TOKEN, hosts=frozenset({HOST})
    )
    with TestClient(app, base_url=f"http://{HOST}", headers={"x-embdiff-token": TOKEN}) as it:
        yield it


def test_every_model_answers_as_an_exact_search_does(client, result):
    text = result.run.corpus.items[7]
    answer = client.post("/ask", json={"text": text, "k": 5}).json()
    asked = ed.compare("sample", ["toy:16", "toy:64"], queries=[text], k=5, store="memory:", baseline=False)
    for got, wanted in zip(answer["answers"], asked.run.answers, strict=True):
        assert got["model"] == wanted.model
        assert got["rows"] == wanted.returned.rows[0].tolist()
        assert got["distance"] == pytest.approx(wanted.returned.distance[0].tolist())
        there = wanted.elsewhere
        assert dict(zip(got["elsewhere"]["rows"], got["elsewhere"]["ranks"], strict=True)) == {
            int(row): int(rank) for row, rank in zip(there.rows[0], there.ranks[0], strict=True) if row >= 0
        }


def test_metric_and_k_can_be_switched(client):
    by_l2 = client.post("/ask", json={"text": "the rain", "k": 2, "metric": "l2"}).json()
    assert by_l2["metric"] == "l2"
    assert [len(each["rows"]) for each in by_l2["answers"]] == [2, 2]
    assert all(value >= 0 for each in by_l2["answers"] for value in each["distance"])


def test_the_page_and_its_data(client, result):
    page = client.get(f"/?token={TOKEN}")
    assert page.status_code == 200
    assert "a title &lt;b&gt;" in page.text
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert "access-control-allow-origin" not in page.headers
    assert page.headers["x-frame-options"] == "DENY"
    assert client.get("/data").content == pack(result.run)


def test_queries_are_kept_for_judging_once_each(client, typed, result):
    assert client.post("/judge", json={"text": "what is new?"}).json() == {"queries": 1}
    assert client.post("/judge", json={"text": "what is new?"}).json() == {"queries": 1}
    assert client.post("/judge", json={"text": "and\nthis"}).json() == {"queries": 2}
    first, second = typed.read()
    assert (first.text, second.text) == ("what is new?", "and\nthis")
    asked = ed.compare("sample", ["toy:16", "toy:64"], queries=["what is new?"], k=4, store="memory:")
    for answer in asked.run.answers:
        assert list(first.lists[answer.model]) == [asked.run.corpus.ids[row] for row in answer.returned.rows[0]]


def test_what_is_said_of_a_result_is_a_judgement(client, result, tmp_path):
    def label(**said: Any) -> Any:
        return client.post("/label", json={"text": "what is new?", "id": "cup-02", "grade": 1, **said})

    assert label().json() == {"labels": 1}
    assert label(id="harbour-01", grade=0).json() == {"labels": 2}
    assert label(grade=0).json() == {"labels": 2}  # said anew
    query = TypedQueries(tmp_path / "run.queries.jsonl").read()[0].id
    found = Book(tmp_path / "run.qrels").entries
    assert [(each.query, each.document, each.grade, each.judge) for each in found] == [
        (query, "cup-02", 1, JUDGE), (query, "harbour-01", 0, JUDGE), (query, "cup-02", 0, JUDGE),
    ]  # fmt: skip
    assert sorted((tmp_path / "run.qrels").read_text().splitlines()) == [
        f"{query} 0 cup-02 0",
        f"{query} 0 harbour-01 0",
    ]
    for said, words in (
        ({"id": "nobody"}, "Got the id 'nobody'"),
        ({"grade": 10}, "A grade must be"),
        ({"grade": -1}, "A grade must be"),
    ):
        assert (label(**said).status_code, words in label(**said).json()["error"]) == (400, True)
    assert client.post("/label", json={"text": "a", "id": "cup-02"}).status_code == 400
    with closing(Book(tmp_path / "run.qrels", write=True)):
        assert "another session" in label().json()["error"]
    assert len(Book(tmp_path / "run.qrels").entries) == 3


def test_labels_of_the_live_page_count_with_those_of_judge(result, tmp_path):
    from embdiff.judging import open_judging

    lists = {"toy:16": ["harbour-01", "cup-02"], "toy:64": ["cup-02", "cup-03"]}
    made = [result.path.with_name(f"run{end}") for end in (".queries.jsonl", ".qrels", ".qrels.jsonl")]
    try:
        labels = Labels(result.path, result.run)
        assert [labels.label("new?", lists, name, 1) for name in ("harbour-01", "cup-02", "cup-03")] == [1, 2, 3]
        with open_judging(result.path, queries=2, depth=2, write=False) as judging:
            assert judging.score().counts["done"] == 1
            assert judging.set_aside == 0
    finally:
        for each in made:
            each.unlink()


def test_typed_queries_are_judged_with_those_of_the_run(client, result):
    from embdiff.judging import open_judging

    path = TypedQueries.beside(result.path).path
    try:
        TypedQueries(path).add("what is new?", {"toy:16": ["harbour-01", "cup-02"], "toy:64": ["cup-02", "cup-03"]})
        TypedQueries(path).add("of other models", {"toy:16": ["harbour-01"]})
        with open_judging(result.path, queries=2, depth=2, write=False) as judging:
            *_, last = judging.pool.queries[: judging.pool.asked]
            assert judging.pool.asked == 3
            assert last.text == "what is new?"
            assert set(last.documents) == {"harbour-01", "cup-02", "cup-03"}
            assert "1 typed queries are left out" in judging.to_dict()["notes"][-1]
    finally:
        path.unlink()


def test_a_torn_line_is_passed_over_and_a_strange_one_refused(tmp_path):
    typed = TypedQueries(tmp_path / "run.queries.jsonl")
    typed.add("one", {"a": ["x"]})
    with typed.path.open("a") as handle:
        handle.write('{"id": "typed-2", "te')
    assert [query.text for query in typed.read()] == ["one"]
    assert typed.add("two", {"a": ["y"]}) == 2
    assert [query.text for query in typed.read()] == ["one", "two"]
    typed.path.write_text('{"id": 1}\n')
    with pytest.raises(DataError, match="A line of typed queries must be an object with id, text and lists"):
        typed.read()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"text": "  "}, "A query must have 1 to 10,000 characters"),
        ({"text": "x" * 10_001}, "A query must have 1 to 10,000 characters. Got 10,001"),
        ({"text": "a", "k": 0}, "k must be between 1 and 52. Got 0"),
        ({"text": "a", "k": 53}, "k must be between 1 and 52. Got 53"),
        ({"text": "a", "metric": "manhattan"}, "metric"),
        ({"text": "a", "index": "hnsw"}, "The index must be one of exact. Got 'hnsw'"),
        ({"k": 3}, "A request must be a JSON object with text"),
        ({"text": 3}, "A request must be a JSON object with text"),
        ({"text": "a", "model": "st:x"}, "A request must be a JSON object with text"),
        ([1], "A request must be a JSON object with text"),
    ],
)
def test_bad_requests_are_told_why(client, body, words):
    answer = client.post("/ask", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 60_000,
        b'{"text": ' * 7_000,
        b'{"text": "a", "k": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"text": "a"',
        b'{"text": "\\ud800"}',
        b'{"text": "a", "metric": "\\udfff"}',
        b'{"text": "a", "\\ud800": 1}',
        b'{"text": "\xff"}',
        b'{"text": "a", "k": ' + b"9" * 5_000 + b"}",
        b'{"text": "a", "k": ' + b"9" * 4_000 + b"}",
        b'{"text": "a", "k": 1e999}',
        b'{"text": "a", "k": NaN}',
        b'{"text": "a", "k": true}',
        b'{"text": "a", "k": null}',
        b'{"text": "a", "index": "' + b"x" * 60_000 + b'"}',
    ],
    ids=range(16),
)
@pytest.mark.parametrize("path", ["/ask", "/judge", "/label"])
def test_what_is_no_request_is_told_so(client, body, path):
    answer = client.post(path, content=body)
    assert answer.status_code == 400
    assert "A request must be a JSON object with text" in answer.json()["error"]
    assert len(answer.json()["error"]) < 600


@pytest.mark.parametrize("length", ["9" * 5_000, "²", "-1", "65537", "1e3"])
def test_lengths_that_are_none_are_refused(client, length):
    assert client.post("/ask", content=b"{}", headers={"content-length": length.encode()}).status_code == 413


def test_no_request_without_the_token(client):
    for headers in ({"x-embdiff-token": ""}, {"x-embdiff-token": "guess"}, {"x-embdiff-token": "tökén".encode()}):
        assert client.get("/data", headers=headers).status_code == 403
        assert client.post("/ask", json={"text": "a"}, headers=headers).status_code == 403
    assert client.get("/?token=wrong", headers={"x-embdiff-token": ""}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:80", "127.0.0.1:4711.evil.example", ""])
def test_no_request_under_another_name(client, host):
    assert client.get("/data", headers={"host": host}).status_code == 421


def test_no_request_from_another_page(client):
    assert client.post("/ask", json={"text": "a"}, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post("/ask", json={"text": "a"}, headers={"origin": "null"}).status_code == 403
    assert client.post("/ask", json={"text": "a"}, headers={"origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize("path", ["/../run.toml", "/%2e%2e/manifest.json", "/static/../../etc/passwd", "/data/x"])
def test_no_other_path_answers(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.text == "There is nothing here."


def test_large_bodies_are_refused(client):
    assert client.post("/ask", content=b"x" * 10_000_000).status_code == 413
    pieces = (b"x" * 65_536 for _ in range(150))
    answer = client.post("/ask", content=pieces)  # sent in pieces, without its length
    assert answer.status_code == 400
    assert "must not be larger than 65,536 bytes" in answer.json()["error"]


def test_of_ready_vectors_every_row_can_be_asked_by_its_id_and_its_text(tmp_path):
    from embdiff.server.opening import opened

    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", draw.normal(size=(52, 8)).astype(np.float32))
    names = [f"vectors:{tmp_path / name}.npy" for name in ("a", "b")]
    made = ed.compare("sample", names, k=4, store="memory:", out=tmp_path / "run")
    corpus = made.run.corpus
    with opened(tmp_path / "run", trust=True) as asker:
        for row in (0, 17, 51):
            by_id, by_text = (asker.ask(said)["answers"] for said in (corpus.ids[row], corpus.items[row]))
            assert by_id == by_text
            for answer, wanted in zip(by_id, made.run.answers, strict=True):
                assert answer["rows"] == [
                    row,
                    *wanted.returned.rows[row, :3].tolist(),
                ]  # the row itself is returned here
        with pytest.raises(ParameterError, match="a query must be the id or the text of a row"):
            asker.ask("something else")


def test_rows_that_the_page_does_not_hold_are_found_and_shown(tmp_path, monkeypatch):
    """They are numbered after its own, and come with their texts; who judges them is told their ids as ever."""
    groups = [f"g{row % 3}" for row in range(52)]
    run = ed.compare("sample", ["toy:8", "toy:16"], k=3, queries="rows:0", groups=groups, store="memory:").run
    whole, lists = (
        getattr(Asker(run, models_again(run), None, {}, {}), name)("a bird sings") for name in ("ask", "lists")
    )
    monkeypatch.setattr(drawn, "MOST_ROWS", 10)
    asker, held = Asker(run, models_again(run), None, {}, {}), drawn.drawn_rows(run).rows
    ids = [run.corpus.ids[row] for row in held]
    told = asker.ask("a bird sings")
    ids += [each["id"] for each in told["more"]]
    assert whole["more"] == []
    assert len(told["more"]) > 0
    for answer, before in zip(told["answers"], whole["answers"], strict=True):
        assert [ids[row] for row in answer["rows"]] == [run.corpus.ids[row] for row in before["rows"]]
        wanted = [run.corpus.ids[row] for row in before["elsewhere"]["rows"]]
        assert [ids[row] for row in answer["elsewhere"]["rows"]] == wanted
    for each in told["more"]:
        row = run.corpus.ids.index(each["id"])
        assert (each["text"], each["group"]) == (run.corpus.items[row], groups[row])
    assert asker.lists("a bird sings") == lists
    for row in range(52):  # every row, drawn or not
        found = asker.find(run.corpus.items[row].upper())
        assert run.corpus.ids[row] in [each["id"] for each in found["rows"]]
        assert found["rows"][0]["ask"] == found["rows"][0]["text"]
    assert asker.find("e")["count"] > len(asker.find("e")["rows"]) == 20
    with pytest.raises(ParameterError, match="at least one letter"):
        asker.find("  ")


def test_a_row_is_found_by_the_page(client, result):
    text = result.run.corpus.items[7]
    found = client.post("/find", json={"text": text[:20]}).json()
    assert text in [each["text"] for each in found["rows"]]
    assert client.post("/find", json={"text": " "}).status_code == 400


def test_an_object_cannot_be_loaded_again(tmp_path):
    class Letters:
        def encode(self, texts):
            import numpy as np

            return np.array([[len(text), text.count("e") + 1.0] for text in texts], dtype=np.float32)

    made = ed.compare("sample", [Letters(), "toy:16"], k=2, store="memory:")
    with pytest.raises(DataError, match=r"A model must have a name to be loaded again\. Got object:Letters"):
        models_again(made.run)


def test_another_model_under_the_same_name_is_refused(result):
    from dataclasses import replace

    facts = [{**each, "fingerprint": "0" * 16} for each in result.run.manifest["models"]]
    changed = replace(result.run, manifest={**result.run.manifest, "models": facts})
    with pytest.raises(DataError, match=r"A model must be the one that the run was made with\. Got another revision"):
        models_again(changed)


def test_a_taken_port_is_refused(result):
    from embdiff.server import serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ParameterError, match=r"The port must be free. Got \d+"):
            serve(result.path, port=taken.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    ed.compare(
        "sample", ["toy:16", "toy:64"], k=4, metric="l2", index="ivf_flat(nlist=4,nprobe=4)", out=tmp_path / "run"
    )
    with Served(tmp_path / "run") as running:
        yield running


def half_open(port: int, number: int) -> socket.socket:
    """Connect and send less than a request: nothing, half of the headers, or half of the body."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST /ask HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    connection.sendall((b"", head.encode(), f"{head}Content-Length: 99\r\n\r\n{{".encode())[number % 3])
    return connection


@pytest.mark.slow
def test_two_hundred_are_answered_while_two_hundred_hang_and_only_loopback_listens(served):
    import httpx

    hanging = [half_open(served.port, number) for number in range(200)]
    failed: list[str] = []

    def ask(number: int) -> None:
        index = "exact" if number % 2 else "ivf_flat(nlist=4,nprobe=4)"
        body = {"text": f"question {number}", "k": 3, "index": index}
        url = f"http://127.0.0.1:{served.port}/ask"
        try:
            answer = httpx.post(url, json=body, headers={"x-embdiff-token": served.token}, timeout=120)
            if answer.status_code != 200 or len(answer.json()["answers"]) != 2:
                failed.append(answer.text)
        except httpx.HTTPError as error:
            failed.append(repr(error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for connection in hanging:
        with suppress(ConnectionError):
            while connection.recv(4096):  # a refusal for want of the token, perhaps, and then the end
                pass
        connection.close()
    listening = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
    addresses = {line.split()[1] for line in listening.splitlines()[1:]}
    port = f"{served.port:04X}"
    assert {each for each in addresses if each.endswith(f":{port}")} <= {f"0100007F:{port}"}


@pytest.mark.browser
def test_a_typed_query_is_answered_side_by_side_in_a_browser(served, browser):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    noticed: list[str] = []
    page.on("console", lambda message: noticed.append(message.text) if "GL Driver" not in message.text else None)
    page.on("pageerror", lambda error: noticed.append(str(error)))
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.address)
    page.wait_for_selector("[data-mounted]")
    page.wait_for_selector(".maps[data-ready]")
    page.get_by_label("Query", exact=True).fill("<img src=x onerror=alert(1)> the rain")
    page.get_by_role("button", name="ask", exact=True).click()
    page.wait_for_function("document.querySelector('.told').innerText.includes('2 models')")
    blocks = page.locator(".diff-block")
    assert blocks.count() == 3
    assert page.locator('.diff-block:not([data-block="b"]) .neighbour').count() == 4
    assert "<img src=x onerror=alert(1)>" in page.locator(".diff .query-line").inner_text()
    assert page.locator(".queries tr.chosen").count() == 0  # what was chosen before is chosen no more
    assert page.locator(".map-star circle.own").count() == 8
    page.get_by_label("Neighbours", exact=True).fill("3")
    page.get_by_label("Neighbours", exact=True).blur()
    page.wait_for_function("document.querySelector('.told').innerText.includes('k = 3')")
    assert page.locator('.diff-block:not([data-block="b"]) .neighbour').count() == 3
    page.locator("label.choice", has_text="search").locator("select").select_option("ivf_flat(nlist=4,nprobe=4)")
    page.wait_for_function("document.querySelector('.told').innerText.includes('ivf_flat')")
    page.locator("label.choice", has_text="metric").locator("select").select_option("cosine")
    page.wait_for_function("document.querySelector('.told').innerText.includes('Search exactly')")
    page.get_by_role("button", name="judge this query later").click()
    page.wait_for_function("document.querySelector('.told').innerText.includes('Kept for judging: 1')")
    assert all(url.startswith(f"http://127.0.0.1:{served.port}/") for url in asked)
    assert [each for each in noticed if "400 (Bad Request)" not in each] == []


def told(page: Any, words: str) -> None:
    page.wait_for_function("words => document.querySelector('.told')?.innerText.includes(words)", arg=words)


@pytest.mark.browser
def test_the_address_asks_and_back_and_forward_ask_again(served, browser):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{served.address}&q=the+rain&k=2")
    told(page, "k = 2")
    assert page.get_by_label("Query", exact=True).input_value() == "the rain"
    assert "the rain" in page.locator(".diff .query-line").inner_text()
    box = page.locator(".workspace").bounding_box()
    assert box["y"] > 0
    assert box["y"] + box["height"] <= 768  # the query and all that it finds, on one screen
    page.get_by_label("Query", exact=True).fill("a cup & a half")
    page.get_by_role("button", name="ask", exact=True).click()
    page.wait_for_url("**&q=a+cup+%26+a+half&k=2")
    page.wait_for_selector(".map-star circle")
    page.locator(".queries button.link").nth(3).click()  # a query of the run takes the place of the one typed
    page.wait_for_function("!location.search.includes('q=') && location.hash.includes('q=')")
    assert "your query" not in page.locator(".diff .query-line").inner_text()
    page.go_back()
    page.wait_for_function("document.querySelector('.diff .query-line')?.innerText.includes('a cup & a half')")
    page.go_back()
    page.wait_for_function("document.querySelector('.diff .query-line')?.innerText.includes('the rain')")
    assert "q=the+rain" in page.url
    page.go_forward()
    page.wait_for_function("document.querySelector('.diff .query-line')?.innerText.includes('a cup & a half')")
    page.go_forward()
    page.wait_for_function("!document.querySelector('.diff .query-line')?.innerText.includes('your query')")
    assert "q=a+cup" not in page.url


@pytest.mark.browser
def test_a_label_beside_a_result_is_a_judgement(served, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{served.address}&q=the+rain")
    told(page, "2 models")
    before = page.locator(".neighbour").count()
    first, second = (page.locator(".neighbour").nth(at) for at in range(2))
    first.get_by_role("button", name="right", exact=True).click()
    told(page, "Judged: 1 result of")
    second.get_by_role("button", name="wrong", exact=True).click()
    told(page, "Judged: 2 results of")
    assert page.locator(".neighbour.right").count() == 1
    assert page.locator(".neighbour.wrong").count() == 1
    assert page.locator(".neighbour").count() == before
    names = ed.load(tmp_path / "run").run.corpus.ids
    rows = [int(each.get_attribute("data-row")) for each in (first, second)]
    found = Book(tmp_path / "run.qrels").entries
    assert [(each.document, each.grade) for each in found] == [(names[rows[0]], 1), (names[rows[1]], 0)]
