"""How the lab was used: the queue over time, how long jobs took, and when devices were in service."""
