"""The static files as they are served: packed when somebody asks for one first, so that there is no collecting step."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rjsmin
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from core.downloads import takes_gzip

TEXTS = (".css", ".js", ".svg")
SAME_FOR_PACKED = ("Content-Type", "Cache-Control", "Access-Control-Allow-Origin")

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Packed:
    """A text as it goes over the wire."""

    gzipped: bytes
    etag: str

    @classmethod
    def of(cls, text: bytes) -> Packed:
        gzipped = gzip.compress(text, mtime=0)
        return cls(gzipped, f'"{hashlib.sha256(gzipped).hexdigest()[:32]}"')

    def answer(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = get_conditional_response(request, self.etag) or self._whole(request)
        answer["ETag"] = self.etag
        patch_vary_headers(answer, ["Accept-Encoding"])
        return answer

    def _whole(self, request: HttpRequest) -> HttpResponse:
        if not takes_gzip(request):
            return HttpResponse(gzip.decompress(self.gzipped))
        return HttpResponse(self.gzipped, headers={"Content-Encoding": "gzip"})


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, but for texts: it would pack those in a collecting step, and a lab has none.

    A lab that is debugged has its files served as they were written.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._packed: dict[str, Packed] = {}

    def serve(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        url = request.path_info
        if self.autorefresh or request.method not in ("GET", "HEAD") or not url.endswith(TEXTS):
            answer: HttpResponse = super().serve(static_file, request)
            return answer
        (_, path, headers), *_ = static_file.alternatives
        if url not in self._packed:
            self._packed[url] = Packed.of(text_of(Path(path)))
        answer = self._packed[url].answer(request)
        for name, value in headers:
            if name in SAME_FOR_PACKED:
                answer[name] = value
        return answer


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
