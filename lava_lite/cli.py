"""The console script `lava-lite`. Django is imported by the commands that need it, so that all others are quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from lava_lite import options
from lava_lite.claims import NotStarted
from lava_lite.client import grammar
from lava_lite.client.console import Console
from lava_lite.client.context import Context
from lava_lite.client.errors import ClientError
from lava_lite.client.exits import Exit
from lava_lite.client.findings import Finding

Arguments = argparse.Namespace
Act = Callable[[Arguments], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; `lava_lite.client.exits` has the table."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")
    if words[:1] == ["manage"]:
        return _manage(words[1:])
    arguments = make_parser().parse_args(words)
    _choose(arguments)
    act: Act = arguments.act
    try:
        return act(arguments)
    except (NotStarted, options.BadSetting) as error:
        print(f"lava-lite: {error}", file=sys.stderr)  # noqa: T201
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Python writes what is left when it ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lava-lite",
        description="A device lab in one command: queues jobs for boards, runs them, shows their output live.",
        epilog="Settings come from the environment and from settings.yaml in the data directory.",
    )
    parser.set_defaults(act=_help_of(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_lab_commands(commands)
    groups = {"": commands}
    for name, text in grammar.GROUPS.items():
        group = commands.add_parser(name, help=text, description=_sentence(text))
        group.set_defaults(act=_help_of(group))
        groups[name] = group.add_subparsers(title="commands", metavar="COMMAND")
    for command in grammar.COMMANDS:
        group_name, _, name = command.words.rpartition(" ")
        _add(groups[group_name], name, command)
    return parser


def _add_lab_commands(commands: Commands) -> None:
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", metavar="DIRECTORY", help="where the lab keeps everything (LAVA_LITE_DATA)")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--host", metavar="ADDRESS", help="listen on this address; 127.0.0.1 by default (LISTEN)"
    )
    place.add_argument("--port", metavar="NUMBER", help="listen on this port; 8000 by default (PORT)")

    def add(name: str, text: str, act: Act, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=text, description=_sentence(text), parents=parents)
        parser.set_defaults(act=act)
        return parser

    add("up", "start a whole lab; Ctrl-C ends it", _up, data, place)
    add("web", "serve pages, APIs and sockets only", _web, data, place)
    add("engine", "schedule jobs and publish events only", _engine, data)
    add("worker", "run jobs on this machine only", _worker, data, place)
    check = add("check", "look for mistakes in the settings", _check, data)
    check.add_argument("--deploy", action="store_true", help="also ask what a lab behind HTTPS needs")
    add("manage", "Django's own commands: lava-lite manage help", _manage_nothing)
    add("version", "show the version", _version)


def _add(commands: Commands, name: str, command: grammar.Command) -> None:
    parser = commands.add_parser(
        name,
        help=command.help,
        description=" ".join(filter(None, [_sentence(command.help), command.more])),
        epilog="\n".join(["examples:", *(f"  {example}" for example in command.examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for argument in command.arguments:
        parser.add_argument(*argument.names, **argument.options)
    server = parser.add_argument_group("server")
    for argument in grammar.SERVER:
        server.add_argument(*argument.names, **argument.options)
    parser.set_defaults(act=_speaking(command.act))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _help_of(parser: argparse.ArgumentParser) -> Act:
    def show(arguments: Arguments) -> int:
        parser.print_help()
        return Exit.USAGE

    return show


def _speaking(act: Callable[[Context], Exit]) -> Act:
    """A command that speaks to a server."""

    def speak(arguments: Arguments) -> int:
        console = Console(as_json=arguments.json)
        context = Context(words=arguments, console=console, here=_Here())
        try:
            with context.closing:
                return act(context)
        except ClientError as error:
            context.tell(error)
            return error.code

    return speak


class _Here:
    def set_password(self, name: str, password: str) -> None:
        from lava_lite import rescue

        rescue.set_password(name, password)

    def findings(self) -> Iterable[Finding]:
        from lava_lite import doctor

        return doctor.findings()

    def logs(self, wanted: Sequence[str], *, repair: bool) -> Iterable[Finding]:
        from lava_lite import log_care

        return log_care.findings(wanted, repair=repair)


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
    import logging

    from lava_lite import roles

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    data = options.data_directory()
    chosen = options.load(data)
    roles.worker(roles.own_worker(data, chosen, end_jobs_on_stop=False))
    return 0


def _check(arguments: Arguments) -> int:
    options.load(options.data_directory())  # tells in one line what Django would tell in thirty
    return _manage(["check", "--deploy"] if arguments.deploy else ["check"])


def _version(arguments: Arguments) -> int:
    from importlib.metadata import version

    print(f"lava-lite {version('lava-lite')}")  # noqa: T201
    return 0


def _manage_nothing(arguments: Arguments) -> int:
    """What follows `manage` goes to Django before anything else looks at it."""
    return _manage(["help"])


def _manage(words: Sequence[str]) -> int:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["lava-lite manage", *words])
    return 0
