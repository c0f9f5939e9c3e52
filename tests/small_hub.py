"""A small hub on loopback, for the client of the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from embdiff._files import sha256_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Answers(BaseHTTPRequestHandler):
    """A hub with one repository in one revision; it keeps to what huggingface_hub asks for."""

    kind, name, folder = "models", "real/model", Path()
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        api, head = f"/api/{self.kind}/{self.name}", "" if self.kind == "models" else f"/{self.kind}"
        file = self.folder / path.replace("/main/", f"/{COMMIT}/").removeprefix(f"{head}/{self.name}/resolve/{COMMIT}/")
        if path in (api, *(f"{api}/revision/{name}" for name in (COMMIT, "main"))):
            siblings = [{"rfilename": entry["path"]} for entry in self.tree()]
            self.answer(json.dumps({"id": self.name, "sha": COMMIT, "siblings": siblings}).encode())
        elif path == f"{api}/tree/{COMMIT}":
            self.answer(json.dumps(self.tree()).encode())
        elif "/resolve/" in path and file.is_file():
            self.answer(file.read_bytes(), ETag=f'"{sha256_of(file)}"')
        elif path == "/api/models/gated/model":
            self.answer(b"", 403, **{"X-Error-Code": "GatedRepo"})
        elif path == f"{api}/revision/x":
            self.answer(b"", 404, **{"X-Error-Code": "RevisionNotFound"})
        else:
            code = "EntryNotFound" if "/resolve/" in path or "/tree/" in path else "RepoNotFound"
            self.answer(b"", 404, **{"X-Error-Code": code})

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def tree(self) -> list[dict[str, object]]:
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        names = [file.relative_to(self.folder).as_posix() for file in files]
        return [
            {"type": "file", "path": name, "size": file.stat().st_size, "oid": sha256_of(file)}
            for name, file in zip(names, files, strict=True)
        ]

    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "X-Repo-Commit": COMMIT, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, kind: str, name: str, folder: Path) -> Iterator[type[Answers]]:
    """Let huggingface_hub ask a hub that has one repository, with the files of a folder."""
    answers = type("Answering", (Answers,), {"kind": kind, "name": name, "folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    yield answers
    server.shutdown()
