"""Why a job cannot go on."""

from __future__ import annotations

from typing import Final

CANCELED: Final = "The job was canceled"


class JobEnd(Exception):
    """The job cannot go on."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class PutOff(JobEnd):
    """The test asked that the job be run again later. Nothing failed; what the log says of it is the server's to find."""


class ActionTimeout(JobEnd):
    """An action ran longer than it may."""
