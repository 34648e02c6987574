"""A Hugging Face hub in miniature, for uploads: what it was asked, and what it keeps."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hub:
    """Requests as method, path and body; repositories as private or not; files by their path."""

    endpoint: str = ""
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    repos: dict[str, bool] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    message: str = ""
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and text by a part of the path."""

    _large: dict[str, bytes] = field(default_factory=dict)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """The status and JSON of a request; (…, None) has no body."""
        self.requests.append((method, path, body))
        for part, (status, text) in self.refuses.items():
            if part in path:
                return status, {"error": text}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            there = name in self.repos
            # "private" was what clients said before they said "visibility".
            hidden = asked.get("private") or asked.get("visibility") == "private"
            self.repos.setdefault(name, bool(hidden))
            url = {"url": f"{self.endpoint}/{name}", "id": name}
            return (409 if there else 200), url
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if "/preupload/" in path:
            files = [
                {"path": each["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if each["path"].endswith(".safetensors") else "regular"}
                for each in json.loads(body)["files"]
            ]  # fmt: skip
            return 200, {"files": files}
        if path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            for each in objects:
                each["actions"] = {"upload": {"href": f"{self.endpoint}/large/{each['oid']}"}}
            return 200, {"transfer": "basic", "objects": objects}
        if path.startswith("/large/"):
            self._large[path.removeprefix("/large/")] = body
            return 200, None
        if "/commit/" in path:
            return self._commit(path, body)
        name = path.removeprefix("/api/models/")
        if method == "GET" and name in self.repos:
            return 200, {"id": name, "private": self.repos[name], "sha": "0" * 40}
        return 404, {"error": f"{method} {path} is not known here"}

    def _commit(self, path: str, body: bytes) -> tuple[int, Any]:
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.message = value["summary"]
            elif line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = self._large[value["oid"]]
        repo = path.removeprefix("/api/models/").partition("/commit/")[0]
        url = f"{self.endpoint}/{repo}/commit/{'0' * 40}"
        return 200, {"commitUrl": url, "commitOid": "0" * 40, "success": True}


@contextmanager
def fake_hub() -> Iterator[Hub]:
    """Serve a hub on a free port of this machine."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if (token := self.headers.get("Authorization")) is not None:
                hub.tokens.add(token)
            status, content = hub.answer(self.command, self.path.partition("?")[0], body)
            data = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _reply

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
