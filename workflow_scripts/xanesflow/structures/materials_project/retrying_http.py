"""Repeats requests to a server that is busy, broken or silent, a limited number of times.

mp-api mounts urllib3's Retry, which makes three attempts within a second for 429, 502 and 504 and reports 500 and 503
at once. It does not notice an answer that trickles in or is cut off, or a body that is not JSON, because it ends where
the body begins; nor can it refuse too long a Retry-After. `RetryingAdapter` replaces it in mp-api's session, so that
only one layer retries, and that layer sees the whole answer. (tenacity would replace the loop of `send`, ten lines, by
as many.)
"""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from xanesflow.core.errors import TryAgainError, XanesflowError

log = logging.getLogger(__name__)

LATER = "the same command continues from the pages that are there"


@dataclass(frozen=True)
class RetrySettings:
    """How long to wait for a server."""

    attempts: int = 6  # largest number of attempts at a request
    backoff_s: float = 2.0  # seconds before the second attempt; the wait doubles before each further one
    # longest wait in seconds that the server may ask for (Retry-After); a longer one ends the attempts
    longest_wait_s: float = 600.0
    silence_s: float = 60.0  # seconds without a byte after which an attempt fails
    answer_s: float = 300.0  # seconds that a whole answer may take


class RetryingAdapter(HTTPAdapter):
    """Gets whole answers for a `requests.Session`: reads the body itself, and repeats a request that failed.

    Args:
        retries: how long to wait.
        server: its name in messages.
    """

    def __init__(self, retries: RetrySettings, server: str) -> None:
        super().__init__(max_retries=0)
        self.retries = retries
        self.server = server

    def send(  # noqa: PLR0917 - the signature is requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Answer a request. The caller handles statuses 4xx other than 401, 403, 408, 425 and 429.

        The body is always read here, whatever `stream` says, and `retries` replaces `timeout`.

        Raises:
            XanesflowError: all attempts failed, the key is refused, or the server redirects to another host.
        """
        for attempt in range(1, self.retries.attempts + 1):
            try:
                response = self._once(request, verify=verify, cert=cert, proxies=proxies)
            except TryAgainError as trouble:
                if attempt == self.retries.attempts:
                    raise XanesflowError(
                        f"{self.server} {trouble}, {attempt} times in a row; try again later: {LATER}."
                    ) from None
                self._wait(trouble, attempt)
                continue
            self._check(request, response)
            return response
        raise AssertionError("attempts is at least 1")

    def _wait(self, trouble: TryAgainError, attempt: int) -> None:
        wait = self.retries.backoff_s * 2 ** (attempt - 1) if trouble.wait_s is None else trouble.wait_s
        if wait > self.retries.longest_wait_s:
            raise XanesflowError(
                f"{self.server} {trouble} and asks to wait {wait:.0f} s; try again then: {LATER}."
            ) from None
        log.warning(
            "%s %s; trying again in %.3g s (%d of %d)",
            self.server, trouble, wait, attempt, self.retries.attempts - 1,
        )  # fmt: skip
        time.sleep(wait)

    def _once(
        self, request: requests.PreparedRequest, *, verify: bool | str, cert: Any, proxies: Any
    ) -> requests.Response:
        host = urlsplit(request.url or "").netloc
        silence = self.retries.silence_s
        proxy = _proxy(request, proxies)
        through = f" through {proxy}" if proxy else ""
        try:
            response = super().send(
                request, stream=True, timeout=(silence, silence), verify=verify, cert=cert, proxies=proxies
            )
            body = self._body(response)
        except requests.exceptions.ProxyError as error:
            raise TryAgainError(f"cannot be reached: {proxy or 'the proxy'} fails ({_cause(error)})") from None
        except requests.ConnectTimeout:
            raise TryAgainError(f"cannot be reached at {host}{through} within {silence:g} s") from None
        except (requests.Timeout, TimeoutError):
            raise TryAgainError(f"was silent for {silence:g} s") from None
        except requests.ConnectionError as error:
            raise TryAgainError(f"cannot be reached at {host}{through} ({_cause(error)})") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            answer = f"was silent for {silence:g} s" if "timed out" in str(error) else f"broke off ({_cause(error)})"
            raise TryAgainError(answer) from None
        status = response.status_code
        if status >= 500 or status in (408, 425, 429):
            raise TryAgainError(f"answered HTTP {status} ({response.reason})", _retry_after(response))
        if status == 200:
            try:
                orjson.loads(body)
            except ValueError:
                raise TryAgainError("sent an answer that is cut off or not JSON") from None
        return response

    def _body(self, response: requests.Response) -> bytes:
        """Read the whole body, and put it back into the response for the next reader."""
        raw = response.raw
        begun = time.monotonic()
        parts: list[bytes] = []
        # read1 returns what has arrived; read would wait for a trickle to fill its buffer.
        while part := raw.read1(65536, decode_content=True):
            parts.append(part)
            if time.monotonic() - begun > self.retries.answer_s:
                raw.close()
                raise TryAgainError(f"did not finish an answer within {self.retries.answer_s:g} s")
        raw.release_conn()
        body = b"".join(parts)
        response.raw = io.BytesIO(body)
        return body

    def _check(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        if response.status_code in (401, 403):
            if "x-api-key" not in request.headers:
                raise XanesflowError(
                    f"{self.server} refuses all requests from here (HTTP {response.status_code}); see "
                    "https://status.materialsproject.org."
                )
            raise XanesflowError(
                f"{self.server} refuses the API key (HTTP {response.status_code}); copy the one from your dashboard, "
                "https://next-gen.materialsproject.org/api, to the environment variable MP_API_KEY."
            )
        here = urlsplit(response.url or "").netloc
        there = urlsplit(urljoin(response.url or "", response.headers.get("location", ""))).netloc
        if response.is_redirect and here != there:  # requests would show the key to the other host
            raise XanesflowError(
                f"{self.server} at {here} redirects to {there}; if that is right, set MP_API_ENDPOINT to it."
            )


def _proxy(request: requests.PreparedRequest, proxies: Any) -> str:
    """`the proxy HOST:PORT (HTTPS_PROXY)` of a request, without user and password; empty if it has none."""
    address = select_proxy(request.url or "", proxies)
    if not address:
        return ""
    scheme = urlsplit(request.url or "").scheme.upper()
    return f"the proxy {urlsplit(address).netloc.rpartition('@')[2] or 'without a name'} ({scheme}_PROXY)"


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, from a number or a date; None if it does not ask."""
    answer = response.headers.get("retry-after")
    if answer is None:
        return None
    try:
        return Retry().parse_retry_after(answer)
    except HTTPError:
        return None


def _cause(error: BaseException) -> str:
    """The innermost cause of a network error, in few words, without the object that raised it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
