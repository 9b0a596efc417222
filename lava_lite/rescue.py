"""What is mended in this machine's database, without a server: for those who have locked themselves out."""

from __future__ import annotations

from lava_lite import options, roles
from lava_lite.claims import NotStarted


def set_password(name: str, password: str) -> None:
    """NotStarted says why it cannot be done. Whoever may read the data directory may do this."""
    data = options.data_directory()
    # SQLite would make an empty database where there is none.
    if not options.load(data)["DATABASE_URL"] and not any(data.glob("*.sqlite3")):
        raise NotStarted(f"There is no database in {data}; name another directory: --data DIRECTORY")
    roles.set_up_django()
    from django.contrib.auth.models import User
    from django.db import DatabaseError, transaction

    from accounts import audit

    try:
        with transaction.atomic():
            user = User.objects.select_for_update().get(username=name)
            user.set_password(password)
            user.save(update_fields=["password"])
            audit.note(user, user, "password changed on the machine of the lab")
    except User.DoesNotExist:
        raise NotStarted(f"There is no user {name!r} in {data}.") from None
    except DatabaseError as error:
        raise NotStarted(f"The database in {data} cannot be used: {error}") from error
