"""Subscriptions that last: the lab keeps how far somebody has got, and tells again what was not acknowledged."""
