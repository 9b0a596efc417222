from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User


@pytest.fixture
def staff(mallory: User) -> User:
    """May look after tokens, and is no superuser."""
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return mallory
