"""Queries Materials Project through its own client, mp-api."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from typing import Any

import requests
from mp_api.client import MPRester
from mp_api.client.core.exceptions import MPRestError, MPRestWarning
from mp_api.client.core.utils import validate_api_key, validate_endpoint

from xanesflow.core.errors import XanesflowError
from xanesflow.core.text import one_line
from xanesflow.structures.material import BadStructure
from xanesflow.structures.materials_project.manifest import Query
from xanesflow.structures.materials_project.material_ids import one_id
from xanesflow.structures.materials_project.retrying_http import RetryingAdapter, RetrySettings

log = logging.getLogger(__name__)

SERVER = "Materials Project"
IDS_AT_ONCE = 200
"""Ids in one request: they make an address of some 2,000 characters, and 200 structures have some 5 MB."""

_LISTED_AT_ONCE = 1000


class MaterialsProjectClient:
    """A connection to Materials Project.

    The API key comes from the environment variable MP_API_KEY, or from PMG_MAPI_KEY in pymatgen's settings. It goes
    into the headers of requests and nowhere else.

    Args:
        endpoint: address of the server; None: mp-api's own, which the environment variable MP_API_ENDPOINT changes.
        retries: how long to wait for the server.

    Attributes:
        endpoint: the address.
        database_version: Materials Project's name of its database, such as `2025.09.25`.

    Raises:
        XanesflowError: there is no key, the key is malformed, or the server does not answer.
    """

    def __init__(self, endpoint: str | None = None, retries: RetrySettings | None = None) -> None:
        self._key = _key()
        self.endpoint = validate_endpoint(endpoint)
        retries = retries or RetrySettings()
        adapter = RetryingAdapter(retries, SERVER)
        # mp-api requests the heartbeat only once and without a time limit, so we first request it with retries.
        with requests.Session() as session:
            _mount(session, adapter)
            heartbeat = session.get(f"{self.endpoint}heartbeat").json()
        if not isinstance(heartbeat, dict) or not heartbeat.get("db_version"):
            raise XanesflowError(f"{self.endpoint} does not answer as {SERVER} does; check MP_API_ENDPOINT.")
        self.database_version = str(heartbeat["db_version"])
        for attempt in range(1, retries.attempts + 1):
            try:
                self._client = self._connect()
                break
            except (KeyError, TypeError, ValueError, MPRestError, requests.RequestException) as error:
                if attempt == retries.attempts:
                    raise XanesflowError(
                        f"{self.endpoint} does not answer as {SERVER} does ({self._clean(error)}); check "
                        "MP_API_ENDPOINT, or try again later."
                    ) from None
                time.sleep(retries.backoff_s * 2 ** (attempt - 1))
        _mount(self._client.session, adapter)

    def _connect(self) -> MPRester:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MPRestWarning)
            return MPRester(
                api_key=self._key, endpoint=self.endpoint, use_document_model=False, mute_progress_bars=True
            )

    def list_systems(self, query: Query) -> list[str]:
        """Sorted ids of the materials in the query's chemical systems that pass its filters.

        They never include materials of GNoME, whose licence forbids commercial use; a dataset with them would too.
        """
        found: set[str] = set()
        for system in query.systems:
            documents = self._search(
                "summary",
                # Elements in alphabetical order. One system in each request, as a list may not hold wildcards.
                chemsys="-".join(sorted(system.split("-"), key=lambda part: (part == "*", part))),
                deprecated=False,
                theoretical=query.theoretical,
                energy_above_hull=None if query.energy_above_hull is None else (0, query.energy_above_hull),
                num_sites=None if query.max_atoms is None else (1, query.max_atoms),
                include_gnome=False,
                fields=["material_id"],
                chunk_size=_LISTED_AT_ONCE,
                _sort_fields="material_id",  # pages of an unsorted answer may overlap
            )
            log.info("%s: %d materials in %s", query.element, len(documents), system)
            found |= {str(document["material_id"]) for document in documents}
        return sorted(found)

    def list_ids(self, ids: Sequence[str]) -> tuple[list[str], dict[str, str], list[BadStructure]]:
        """Look up material ids.

        Materials Project merges materials. An old id may then be a calculation (task id) of another material.

        Returns:
            The sorted current ids of the materials that exist; old id -> current id of merged materials; and the
            materials that do not exist, each with the reason.
        """
        # Current ids, then old ids among the calculations of other materials, then deprecated ids.
        there: set[str] = set()
        moved: dict[str, str] = {}
        for some in _in_pieces(ids):
            documents = self._search(
                "summary", material_ids=list(some), deprecated=False, include_gnome=False, fields=["material_id"]
            )
            there |= {str(document["material_id"]) for document in documents} & set(some)
        for some in _in_pieces(sorted(set(ids) - there)):
            documents = self._search("core", task_ids=list(some), fields=["material_id", "task_ids"])
            for document in sorted(documents, key=lambda document: str(document["material_id"])):
                for old in {one_id(str(task)) for task in document.get("task_ids") or ()} & set(some):
                    moved.setdefault(old, str(document["material_id"]))
        lost = sorted(set(ids) - there - moved.keys())
        deprecated: set[str] = set()
        for some in _in_pieces(lost):
            documents = self._search("core", material_ids=list(some), deprecated=True, fields=["material_id"])
            deprecated |= {str(document["material_id"]) for document in documents}
        left_out = [
            BadStructure(
                each, f"{SERVER} has " + ("deprecated it" if each in deprecated else "no such material"), "not_found"
            )
            for each in lost
        ]
        return sorted(there | set(moved.values())), moved, left_out

    def structures(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Documents of materials that the server has: `material_id`, `last_updated`, `structure` (pymatgen's dict).

        Args:
            ids: up to `IDS_AT_ONCE` of them.
        """
        return self._search(
            "summary",
            material_ids=list(ids),
            deprecated=False,
            include_gnome=False,
            fields=["material_id", "last_updated", "structure"],
        )

    def _search(self, where: str, **criteria: Any) -> list[dict[str, Any]]:
        """Query one of the client's resters: `summary` has the filters, `core` the calculations of a material."""
        rester = self._client.materials.summary if where == "summary" else self._client.materials
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MPRestWarning)
                documents = rester.search(all_fields=False, **{k: v for k, v in criteria.items() if v is not None})
            if not all(isinstance(each, dict) and "material_id" in each for each in documents):
                raise ValueError("an answer has no material_id")
        except (MPRestError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise XanesflowError(
                f"{SERVER} ({self.endpoint}) does not answer as its client mp-api {version('mp-api')} expects: "
                f"{self._clean(error)}; try a newer mp-api."
            ) from None
        return [{**each, "material_id": one_id(str(each["material_id"]))} for each in documents]

    def _clean(self, error: BaseException) -> str:
        """An error in one line, without the key."""
        return f"{type(error).__name__}: {one_line(error, 300)}".replace(self._key, "<key>")


def _key() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MPRestWarning)
        try:
            key = validate_api_key()
        except MPRestError:
            raise XanesflowError(
                "MP_API_KEY (or PMG_MAPI_KEY of pymatgen's settings) is not 32 characters long, as the API keys of "
                f"{SERVER} are; copy the one from your dashboard, https://next-gen.materialsproject.org/api."
            ) from None
    if not key:
        raise XanesflowError(
            "structures.source is materials_project, but there is no API key for it: copy the one from your dashboard, "
            "https://next-gen.materialsproject.org/api, to the environment variable MP_API_KEY."
        )
    return key


def _mount(session: requests.Session, adapter: RetryingAdapter) -> None:
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)


def _in_pieces(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    iterator = iter(ids)
    while piece := tuple(islice(iterator, IDS_AT_ONCE)):
        yield piece
