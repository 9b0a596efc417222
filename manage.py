#!/usr/bin/env python
"""Django's own command line, for those who expect it here."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
