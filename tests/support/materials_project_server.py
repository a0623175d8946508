"""A Materials Project on loopback: the routes that mp-api asks, on documents in Materials Project's format.

What a query means is taken from the server's own query operators (emmet-api): a wildcard system is a number of elements
and a subset of them, several ids are taken by `material_id`, `task_ids` by any calculation of a material, and
deprecated documents are hidden unless they are asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from pymatgen.core import Structure

KEY = "0123456789abcdefghijklmnopqrSTUV"
VERSION = "2026.10.15"

Answer = Callable[["_Handler", bytes], None]


def document(material_id: str, structure: Structure | None, **values) -> dict:
    """A document as materials/summary serves it; None: it has lost its structure."""
    composition = structure.composition if structure else None
    return {
        "material_id": material_id,
        "last_updated": "2026-10-01T12:00:00.000000Z",
        "deprecated": False,
        "theoretical": False,
        "energy_above_hull": 0.0,
        "task_ids": [material_id],
        "nsites": len(structure) if structure else None,
        "elements": sorted(str(each) for each in composition) if composition else values.pop("elements"),
        "formula_pretty": composition.reduced_formula if composition else None,
        "structure": structure.as_dict() if structure else None,
        **values,
    }


def status(code: int, reason: str = "", **headers: str) -> Answer:
    """An answer with a status and nothing of use."""

    def answer(handler: _Handler, _: bytes) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.reply(code, json.dumps({"detail": reason}).encode(), **named)

    return answer


def truncated(handler: _Handler, body: bytes) -> None:
    """JSON that ends in the middle, in an answer that says it is whole."""
    handler.reply(200, body[: len(body) // 2])


def broken_off(handler: _Handler, body: bytes) -> None:
    """An answer whose connection ends before its length."""
    handler.reply(200, body[: len(body) // 2], content_length=str(len(body)))


def trickle(handler: _Handler, body: bytes) -> None:
    """A byte at a time, often enough that the connection never looks dead."""
    handler.reply(200, b"", content_length=str(len(body)))
    for k in range(len(body)):
        handler.wfile.write(body[k : k + 1])
        handler.wfile.flush()
        if handler.server.closing.wait(0.05):
            return


def silence(handler: _Handler, _: bytes) -> None:
    """No answer at all."""
    handler.server.closing.wait(30)


class MaterialsProjectServer(ThreadingHTTPServer):
    """The server; change `documents`, `version` and `answers` while it runs.

    Attributes:
        documents: what it has.
        version: of its database.
        faults: answers to give instead of the next ones to questions with a key, first to last.
        heartbeats: the same for the heartbeat.
        questions: (route, parameters) of each question answered with 200, but for heartbeats.
        asked: number of all requests.
    """

    daemon_threads = True

    def __init__(self, documents: list[dict]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents = documents
        self.version = VERSION
        self.faults: list[Answer] = []
        self.heartbeats: list[Answer] = []
        self.questions: list[tuple[str, dict[str, str]]] = []
        self.asked = 0
        self.closing = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def structures_asked(self) -> list[list[str]]:
        """Ids of each page of structures that was served."""
        return [q["material_ids"].split(",") for _, q in self.questions if "structure" in q["_fields"].split(",")]

    def systems_asked(self) -> list[str]:
        return [q["chemsys"] for _, q in self.questions if "chemsys" in q]

    def find(self, query: dict[str, str]) -> list[dict]:
        found = [d for d in self.documents if d["deprecated"] == (query.get("deprecated") == "True")]
        if "chemsys" in query:
            parts = query["chemsys"].split("-")
            named = {part for part in parts if part != "*"}
            found = [d for d in found if len(d["elements"]) == len(parts) and named <= set(d["elements"])]
        if "material_ids" in query:
            found = [d for d in found if d["material_id"] in query["material_ids"].split(",")]
        if "task_ids" in query:
            found = [d for d in found if set(d["task_ids"]) & set(query["task_ids"].split(","))]
        if "theoretical" in query:
            found = [d for d in found if str(d["theoretical"]) == query["theoretical"]]
        if "energy_above_hull_max" in query:
            found = [d for d in found if d["energy_above_hull"] <= float(query["energy_above_hull_max"])]
        if "nsites_max" in query:
            found = [d for d in found if d["nsites"] <= int(query["nsites_max"])]
        if "_sort_fields" in query:
            found.sort(key=lambda d: d[query["_sort_fields"]])
        return found


class _Handler(BaseHTTPRequestHandler):
    server: MaterialsProjectServer

    def do_GET(self) -> None:
        server = self.server
        server.asked += 1
        url = urlsplit(self.path)
        if url.path == "/heartbeat":
            body = {
                "status": "OK",
                "version": "0.87.3",
                "db_version": server.version,
                "access_controlled_batch_ids": [],
            }
            answer = server.heartbeats.pop(0) if server.heartbeats else None
            return self._give(answer, json.dumps(body).encode())
        key = self.headers.get("x-api-key")
        if key != KEY:
            return self.reply(
                *((403, b'{"detail": "Forbidden"}') if key else (401, b'{"message": "No API key found"}'))
            )
        query = dict(parse_qsl(url.query))
        if url.path not in ("/materials/summary/", "/materials/core/"):
            return self.reply(404, b'{"detail": "Not Found"}')
        found = server.find(query)
        skip = int(query.get("_skip", 0))
        fields = query["_fields"].split(",")
        data = [{k: d.get(k) for k in fields} for d in found[skip : skip + int(query.get("_limit", 100))]]
        body = json.dumps({"data": data, "meta": {"api_version": "0.87.3", "total_doc": len(found)}}).encode()
        if not server.faults:
            server.questions.append((url.path, query))
        return self._give(server.faults.pop(0) if server.faults else None, body)

    def _give(self, answer: Answer | None, body: bytes) -> None:
        try:
            if answer is None:
                self.reply(200, body)
            else:
                answer(self, body)
        except OSError:  # who asked has hung up
            pass

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        named = {"content-type": "application/json", "content-length": str(len(body))}
        for name, value in (named | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_) -> None:
        """Say nothing."""


@contextmanager
def serving(documents: list[dict]):
    """A server that runs while the block does."""
    server = MaterialsProjectServer(documents)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
