"""The console script `lava-lite`. Django is imported by the commands that need it, so that help is quick."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from lava_lite import options
from lava_lite.claims import NotStarted

USAGE_ERROR = 2
INTERRUPTED = 130

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 for a clean end, 2 for what the caller can mend."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
    if words[:1] == ["manage"]:
        return _manage(words[1:])
    parser = _parser()
    arguments = parser.parse_args(words)
    if "run" not in arguments:
        parser.print_help()
        return USAGE_ERROR
    _choose(arguments)
    try:
        code: int = arguments.run(arguments)
    except (NotStarted, options.BadSetting) as error:
        print(f"lava-lite: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lava-lite",
        description="A device lab in one command: queues jobs for boards, runs them, shows their output live.",
        epilog="Settings come from the environment and from settings.yaml in the data directory.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", metavar="DIRECTORY", help="where the lab keeps everything (LAVA_LITE_DATA)")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--host", metavar="ADDRESS", help="listen on this address; 127.0.0.1 by default (LISTEN)"
    )
    place.add_argument("--port", metavar="NUMBER", help="listen on this port; 8000 by default (PORT)")

    up = commands.add_parser("up", parents=[data, place], help="start a whole lab; Ctrl-C ends it")
    up.set_defaults(run=_up)
    web = commands.add_parser("web", parents=[data, place], help="serve pages, APIs and sockets only")
    web.set_defaults(run=_web)
    engine = commands.add_parser("engine", parents=[data], help="schedule jobs and publish events only")
    engine.set_defaults(run=_engine)
    worker = commands.add_parser("worker", parents=[data, place], help="run jobs on this machine only")
    worker.set_defaults(run=_worker)
    check = commands.add_parser("check", parents=[data], help="look for mistakes in the settings")
    check.add_argument("--deploy", action="store_true", help="also ask what a lab behind HTTPS needs")
    check.set_defaults(run=_check)
    commands.add_parser("manage", help="Django's own commands: lava-lite manage help")
    commands.add_parser("version", help="show the version").set_defaults(run=_version)
    return parser


def _choose(arguments: Arguments) -> None:
    """What the command line says is said in the environment, where the settings look for it."""
    for option, name in (("data", "LAVA_LITE_DATA"), ("host", "LISTEN"), ("port", "PORT")):
        if value := getattr(arguments, option, None):
            os.environ[name] = value


def _up(arguments: Arguments) -> int:
    from lava_lite import lab

    lab.up()
    return 0


def _web(arguments: Arguments) -> int:
    from lava_lite import claims, roles

    chosen = options.load(options.data_directory())
    listener = claims.listen(chosen["LISTEN"], chosen["PORT"])
    roles.set_up_django()
    roles.web(listener)
    return 0


def _engine(arguments: Arguments) -> int:
    from lava_lite import roles

    roles.set_up_django()
    roles.engine()
    return 0


def _worker(arguments: Arguments) -> int:
    from lava_lite import roles

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    data = options.data_directory()
    chosen = options.load(data)
    roles.worker(roles.own_worker(data, chosen["LISTEN"], chosen["PORT"], end_jobs_on_stop=False))
    return 0


def _check(arguments: Arguments) -> int:
    return _manage(["check", "--deploy"] if arguments.deploy else ["check"])


def _version(arguments: Arguments) -> int:
    print(f"lava-lite {version('lava-lite')}")  # noqa: T201
    return 0


def _manage(words: Sequence[str]) -> int:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["lava-lite manage", *words])
    return 0
