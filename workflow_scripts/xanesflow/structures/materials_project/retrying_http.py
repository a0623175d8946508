"""Asking a server with patience: again after a busy, broken or silent answer, and never without end.

mp-api mounts urllib3's Retry with three attempts within a second for 429, 502 and 504, tells 500 and 503 at once, and
does not notice an answer that trickles in or is cut in the middle. `RetryingAdapter` takes its place in the session
that mp-api uses, so that there is one layer that retries, and it sees the whole answer.
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
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from xanesflow.core.errors import TryAgainError, XanesflowError

log = logging.getLogger(__name__)

LATER = "the same command goes on from the pages that are there"


@dataclass(frozen=True)
class RetrySettings:
    """How long a server is waited for.

    Attributes:
        attempts: how often a question is put.
        backoff_s: seconds before the second attempt; twice as long before each further one.
        longest_wait_s: seconds that the server may ask to wait (Retry-After); beyond them it is given up.
        silence_s: seconds without a byte after which an answer is given up.
        answer_s: seconds that a whole answer may take.
    """

    attempts: int = 6
    backoff_s: float = 2.0
    longest_wait_s: float = 600.0
    silence_s: float = 60.0
    answer_s: float = 300.0


class RetryingAdapter(HTTPAdapter):
    """Gets whole answers for a `requests.Session`: reads the body itself, and asks again while there is hope.

    Args:
        retries: how long.
        server: what messages call it.
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
        """The answer to a request; 4xx other than 401, 403, 408, 425 and 429 are the caller's to judge.

        The body is always read here, whatever `stream` says, and `retries` takes the place of `timeout`.

        Raises:
            XanesflowError: no answer in all attempts, the key is refused, or the server sends on to another host.
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
        try:
            response = super().send(
                request, stream=True, timeout=(silence, silence), verify=verify, cert=cert, proxies=proxies
            )
            body = self._body(response)
        except requests.ConnectTimeout:
            raise TryAgainError(f"cannot be reached at {host} within {silence:g} s") from None
        except (requests.Timeout, TimeoutError):
            raise TryAgainError(f"was silent for {silence:g} s") from None
        except requests.ConnectionError as error:
            raise TryAgainError(f"cannot be reached at {host} ({_cause(error)})") from None
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
                raise TryAgainError("sent an answer that is cut off or no JSON") from None
        return response

    def _body(self, response: requests.Response) -> bytes:
        """Read the whole body and leave it in the response, for whoever reads it next."""
        raw = response.raw
        begun = time.monotonic()
        parts: list[bytes] = []
        # read1 returns what is there; read would wait for a trickle to fill its buffer.
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
                    f"{self.server} answers nobody here (HTTP {response.status_code}); see "
                    "https://status.materialsproject.org."
                )
            raise XanesflowError(
                f"{self.server} refuses the API key (HTTP {response.status_code}); copy the one of your dashboard, "
                "https://next-gen.materialsproject.org/api, to the environment variable MP_API_KEY."
            )
        here = urlsplit(response.url or "").netloc
        there = urlsplit(urljoin(response.url or "", response.headers.get("location", ""))).netloc
        if response.is_redirect and here != there:  # requests would show the key to the other host
            raise XanesflowError(f"{self.server} at {here} sends on to {there}; if that is right, name it as endpoint.")


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
    """The innermost reason of a network error, in few words, without the object that it happened to."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
