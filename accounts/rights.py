"""What every rule about rights has in common. The rules themselves stand with what they protect."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User

Anyone = User | AnonymousUser


class NotAllowed(Exception):
    """Somebody asked for what their rights do not include."""
