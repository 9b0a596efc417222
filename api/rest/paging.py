"""Lists come in pages: `?limit=&offset=`, as LAVA's clients walk them."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from api.rest.filters import whole_number


class Pages(LimitOffsetPagination):
    """A number that is none is refused: were it ignored, a client would read the first page for ever."""

    default_limit = 50
    max_limit = 10_000  # whoever asks for more finds the rest by `next`

    def get_limit(self, request: Request) -> int:
        return min(_number(request, "limit") or self.default_limit, self.max_limit)

    def get_offset(self, request: Request) -> int:
        return _number(request, "offset")


class LargePages(Pages):
    """For rows that may be a megabyte each."""

    max_limit = 1_000


def _number(request: Request, name: str) -> int:
    """0 where it is not given."""
    text = request.query_params.get(name, "")
    try:
        return whole_number(text) if text else 0
    except ValueError as wrong:
        raise ValidationError({name: [str(wrong)]}) from None
