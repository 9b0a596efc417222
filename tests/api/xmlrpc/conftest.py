from tests.serving import site

__all__ = ["site"]
