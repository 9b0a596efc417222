"""`/job/<id>/log-search`: the lines of a log in which something is found, or the records of some levels."""

from __future__ import annotations

import time
from http import HTTPStatus

from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from jobs import log_access
from jobs.logs.line_stamps import LETTERS
from jobs.logs.search import MOST_HITS, Query
from jobs.logs.search_patterns import matcher
from jobs.logs.searchers import Busy, Search, Searchers

MOST_AT_ONCE = 2  # searches, in one process of the server
POLL_SECONDS = 0.05  # after which it is looked whether the client is still there
PATIENCE_SECONDS = 30.0  # with a search that does not end by itself

NUMBERS = ("after", "before", "limit", "attempt")
LEVELS = {letter: level for level, letter in LETTERS.items()}

searchers = Searchers(MOST_AT_ONCE)


@require_safe
def log_search(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Lines with a hit, the first ones of all or those next to a line. A client that leaves ends its search."""
    try:
        numbers = {name: log_access.number(request, name) for name in NUMBERS if name in request.GET}
        asked = log_access.find(request, pk, numbers.pop("attempt", None))
        query = _query(request, numbers)
    except (ValueError, log_access.NoSuchLog) as refused:
        return log_access.refusal(refused)
    try:
        search = searchers.begin(asked.directory, query)
    except Busy:
        return _busy()
    return log_access.of(asked, StreamingHttpResponse(Pieces(search), content_type="application/json"))


class Pieces:
    """The body of an answer. It comes as one piece; empty ones before it let the server see whether its client left."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._until = time.monotonic() + PATIENCE_SECONDS
        self._is_over = False

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        if self._is_over:
            raise StopIteration
        answer = self._search.answer(POLL_SECONDS)
        if answer is None and time.monotonic() > self._until:
            raise TimeoutError("a search does not end")
        self._is_over = answer is not None
        return answer or b""

    def close(self) -> None:
        self._search.end()


def _query(request: HttpRequest, numbers: dict[str, int]) -> Query:
    """ValueError says what is wrong, and what would be right."""
    query = Query(
        text=request.GET.get("q", ""),
        is_regex=log_access.flag(request, "regex"),
        matches_case=log_access.flag(request, "case"),
        levels=_levels(request.GET.get("level", "")),
        **numbers,
    )
    if query.after is not None and query.before is not None:
        raise ValueError("before: expected without after; hits are listed in one direction")
    if not 1 <= query.limit <= MOST_HITS:
        raise ValueError(f"limit: expected 1 to {MOST_HITS}, got {query.limit}")
    if query.text or not query.levels:
        matcher(query.text, is_regex=query.is_regex, matches_case=query.matches_case)
    return query


def _levels(letters: str) -> list[str]:
    unknown = [letter for letter in letters if letter not in LEVELS]
    if unknown:
        raise ValueError(f"level: expected letters of {''.join(LEVELS)}, got {letters[:40]!r}")
    return [LEVELS[letter] for letter in letters]


def _busy() -> JsonResponse:
    words = f"{MOST_AT_ONCE} searches are under way, which are all that run at once. Try again in a second."
    return JsonResponse({"error": words}, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
