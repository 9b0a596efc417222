"""How the lab is: one list of checks for the probes of a service manager, the metrics and the doctor."""
