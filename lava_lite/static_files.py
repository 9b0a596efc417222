"""The static files as they are served: packed when somebody asks for one first, so that there is no collecting step."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import rjsmin
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from core.downloads import takes_gzip

TEXTS = (".css", ".js", ".svg")
SAME_FOR_PACKED = ("Content-Type", "Cache-Control", "Access-Control-Allow-Origin")
FOREVER = "max-age=31536000, public, immutable"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Packed:
    """A text as it goes over the wire."""

    gzipped: bytes
    version: str

    @classmethod
    def of(cls, text: bytes) -> Packed:
        return cls(gzip.compress(text, mtime=0), hashlib.sha256(text).hexdigest()[:16])

    def answer(self, request: HttpRequest) -> HttpResponse:
        etag = f'"{self.version}"'
        answer: HttpResponse = get_conditional_response(request, etag) or self._whole(request)
        answer["ETag"] = etag
        patch_vary_headers(answer, ["Accept-Encoding"])
        return answer

    def _whole(self, request: HttpRequest) -> HttpResponse:
        packs = takes_gzip(request)
        answer = HttpResponse(self.gzipped if packs else gzip.decompress(self.gzipped))
        answer["Content-Length"] = str(len(answer.content))
        if packs:
            answer["Content-Encoding"] = "gzip"
        return answer


class VersionedStorage(StaticFilesStorage):
    """The address of a text says which one it is, so that a browser that has it need not ask whether it still is."""

    def url(self, name: str | None) -> str:
        url = super().url(name)
        version = None if settings.WHITENOISE_AUTOREFRESH or not name else _version_of(name)
        return f"{url}?v={version}" if version else url


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, but for texts: it would pack those in a collecting step, and a lab has none.

    A lab that is debugged has its files served as they were written.
    """

    def serve(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        (_, path, headers), *_ = static_file.alternatives
        if self.autorefresh or request.method not in ("GET", "HEAD") or not path.endswith(TEXTS):
            answer: HttpResponse = super().serve(static_file, request)
            return answer
        packed = _packed(path)
        answer = packed.answer(request)
        for name, value in headers:
            if name in SAME_FOR_PACKED:
                answer[name] = value
        if request.GET.get("v") == packed.version:
            answer["Cache-Control"] = FOREVER
        return answer


@cache
def _version_of(name: str) -> str | None:
    path = finders.find(name)
    return _packed(path).version if path and name.endswith(TEXTS) else None


@cache
def _packed(path: str) -> Packed:
    return Packed.of(text_of(Path(path)))


def text_of(file: Path) -> bytes:
    """What is served of a file: of the house's own scripts, with all that they import, only what a browser reads."""
    is_own = Path(settings.STATICFILES_DIRS[0]) in file.parents
    if not is_own or file.suffix != ".js" or file.name.endswith(".min.js"):
        return file.read_bytes()
    smallest: str = rjsmin.jsmin(_joined(file, set()))
    return smallest.encode()


def _joined(module: Path, told: set[str]) -> str:
    """A module behind all that it imports, each once. No two of them may give something the same name."""
    told.add(module.name)
    source = module.read_text()
    parts = []
    for name in _IMPORT.findall(source):
        if name not in told:
            parts.append(_EXPORT.sub("", _joined(module.with_name(name), told)))
    return "".join([*parts, _IMPORT.sub("", source)])
