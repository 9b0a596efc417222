from tests.lab import lab
from tests.serving import site

__all__ = ["lab", "site"]
