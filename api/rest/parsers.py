"""Bodies of requests: JSON, forms and multipart forms, in UTF-8 and nothing else.

What is no UTF-8 is refused, where Django would put replacement characters and store what nobody sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from django.http.request import QueryDict
from rest_framework import parsers
from rest_framework.exceptions import ParseError

Context = Mapping[str, Any] | None


class JSONParser(parsers.JSONParser):
    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Context = None) -> Any:
        text = utf8(stream.read(), of="body")
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        except ValueError as wrong:
            raise ParseError(f"JSON parse error - {wrong}") from None


class FormParser(parsers.FormParser):
    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Context = None) -> Any:
        body = stream.read()
        utf8(unquote_to_bytes(body), of="body")
        return QueryDict(body, encoding="utf-8")


class MultiPartParser(parsers.MultiPartParser):
    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Context = None) -> Any:
        body = stream.read()
        utf8(body, of="body")
        return super().parse(BytesIO(body), media_type, parser_context)


PARSERS = [JSONParser, FormParser, MultiPartParser]


def utf8(data: bytes, *, of: str) -> str:
    """Its text; ParseError names the first byte that is wrong in this part of the request."""
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        raise ParseError(f"the {of} is not UTF-8: {wrong.reason} at byte {wrong.start}") from None


def text_of(value: Any) -> Any:
    """What a field holds, or the text of the file that was sent in its place; MultiPartParser has seen that it is UTF-8."""
    return value.read().decode() if hasattr(value, "read") else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")
