"""Names of stored tokens in a definition, and the tokens in their places: what a worker gets and nobody else. No ORM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_tokens(job: Mapping[str, Any], tokens: Mapping[str, str]) -> dict[str, Any]:
    """By LAVA's rule: the values of `secrets`, and of `headers` beside a `url` in a deploy action, at most one level down."""
    filled = dict(job)
    if not tokens:
        return filled
    if isinstance(job.get("secrets"), dict):
        filled["secrets"] = _in_values(job["secrets"], tokens)
    filled["actions"] = [
        {kind: _in_deploy(body, tokens) if kind == "deploy" else body for kind, body in action.items()}
        for action in job["actions"]
    ]
    return filled


def _in_deploy(body: Mapping[str, Any], tokens: Mapping[str, str]) -> dict[str, Any]:
    return {key: _in_artifact(part, tokens, deeper=True) for key, part in body.items()}


def _in_artifact(part: Any, tokens: Mapping[str, str], *, deeper: bool) -> Any:
    if not isinstance(part, dict):
        return part
    if "url" in part and isinstance(part.get("headers"), dict):
        return part | {"headers": _in_values(part["headers"], tokens)}
    if deeper:
        return {key: _in_artifact(each, tokens, deeper=False) for key, each in part.items()}
    return part


def _in_values(mapping: Mapping[str, Any], tokens: Mapping[str, str]) -> dict[str, Any]:
    return {
        key: tokens.get(value, value) if isinstance(value, str) else value for key, value in mapping.items()
    }
