"""The commands that speak to a server, as a table: their words, arguments, help and examples."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs import numbers
from lava_lite.client.commands import (
    devices,
    doctor,
    events,
    jobs,
    logs,
    reservations,
    subscriptions,
    tokens,
    users,
)
from lava_lite.client.context import Context
from lava_lite.client.exits import Exit
from lava_lite.client.shapes import seconds_of

GROUPS = {
    "job": "submit jobs, follow and cancel them",
    "log": "search the log of a job; check and repair the logs of this machine's lab",
    "device": "look at devices, take them out and put them back",
    "reservation": "devices that people hold: look, extend, release",
    "events": "follow what happens, and wait for it",
    "user": "add users and change their passwords (administrators only)",
    "token": "log in, and make or revoke tokens",
}
JOB_KEY = re.compile(numbers.KEY)
WAITED_FOR = ("Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished")
PLACES = ("now", "oldest")
SCOPES = ("read", "submit", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    names: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    words: str
    help: str
    act: Callable[[Context], Exit]
    arguments: tuple[Argument, ...] = ()
    examples: tuple[str, ...] = ()
    more: str = ""  # what its help says beyond the one line


def arg(*names: str, **options: Any) -> Argument:
    return Argument(names=names, options=options)


def whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def line(text: str) -> int:
    if not whole(text):
        raise argparse.ArgumentTypeError("lines are counted from 1")
    return int(text)


def job_key(text: str) -> str:
    if not JOB_KEY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected the number or the uuid of a job, got {text!r}")
    return text


def states(text: str) -> list[str]:
    """Today's words for them, however they are written."""
    known = {word.lower(): word for word in WAITED_FOR}
    if unknown := [word for word in text.split(",") if word.lower() not in known]:
        raise argparse.ArgumentTypeError(
            f"there is no state {unknown[0]!r}; expected some of {', '.join(WAITED_FOR)}"
        )
    return [known[word.lower()] for word in text.split(",")]


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, got {text!r}")
    return number


def length(text: str) -> int:
    found = seconds_of(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a length like 90min, 2h or 1d, got {text!r}")
    return found


def place(text: str) -> int | str:
    if text in PLACES:
        return text
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"expected the sequence of an event, or {' or '.join(PLACES)}, got {text!r}"
        )
    return int(text)


SERVER = (
    arg("--server", metavar="URL", help="the server (LAVA_LITE_SERVER); a lab on this machine by default"),
    arg("--token", metavar="TOKEN", help="better given in LAVA_LITE_TOKEN or by: lava-lite token login"),
    arg("--identity", metavar="NAME", help="server and token by their name in lava_lite.yaml"),
    arg("--json", action="store_true", help="the answer as the API gives it, and nothing else"),
)

LIMIT = arg("--limit", type=whole, default=50, metavar="N", help="at most so many; %(default)s by default")
TIMEOUT = arg("--timeout", type=seconds, metavar="SECONDS", help="stop watching then, with exit code 124")
FOLLOW = arg("--follow", action="store_true", help="show its log to the end, and exit by its outcome")
ATTEMPT = arg("--attempt", type=whole, metavar="N", help="of this attempt instead of the latest")
FILES = arg("files", nargs="+", metavar="FILE", help="a job definition; - for standard input")
JOB = arg("job", type=job_key, metavar="JOB", help="number or uuid of a job")
JOBS = arg("jobs", nargs="+", type=job_key, metavar="JOB", help="numbers or uuids of jobs")
DEVICES = arg("devices", nargs="+", metavar="NAME", help="devices; all of them or none are changed")
REASON = arg("--reason", metavar="TEXT", help="why, for those who find it so")
NEEDED_REASON = arg("--reason", metavar="TEXT", required=True, help="why, for those who find it so")
USER = arg("user", metavar="NAME", help="name of a user")
PASSWORD_STDIN = arg(
    "--password-stdin", action="store_true", help="read the password from standard input; else one is made"
)
SCOPE = arg("--scope", choices=SCOPES, default="full", help="what the token may do; %(default)s by default")
DAYS = arg("--days", type=whole, metavar="N", help="the token expires after so many days")

SUBSCRIPTION = arg("name", metavar="NAME", help="name of a subscription of yours")
BEGINNING = "begin after this sequence, with the oldest event that is kept (oldest), or now"
PLACE = arg("--since", type=place, metavar="PLACE", help=f"{BEGINNING}; by default now")
NEEDED_PLACE = arg("--since", type=place, required=True, metavar="PLACE", help=BEGINNING)
RESERVATION = arg("reservation", type=job_key, metavar="ID", help="number or uuid of a reservation")

LOGS = arg("logs", nargs="*", metavar="LOG", help="numbers of jobs, or directories; all logs by default")
DATA = arg("--data", metavar="DIRECTORY", help="the data directory of this machine's lab (LAVA_LITE_DATA)")

LOGIN_ARGUMENTS = (
    arg("--user", metavar="NAME", help="the user; asked for by default"),
    arg("--password-stdin", action="store_true", help="read the password from standard input"),
    arg("--with-token", action="store_true", help="read a token that you have from standard input instead"),
    arg("--description", metavar="TEXT", help="what the new token is for"),
    SCOPE,
    DAYS,
)

COMMANDS = (
    Command(
        words="job submit",
        help="submit jobs; prints number and address of each",
        act=jobs.submit,
        arguments=(
            FILES,
            FOLLOW,
            arg(
                "--check", action="store_true", help="say what is wrong with the definitions, submit nothing"
            ),
            TIMEOUT,
        ),
        more="When one of several definitions is wrong, none is submitted.",
        examples=(
            "lava-lite job submit hello.yaml",
            "lava-lite job submit --check tests/*.yaml",
            "sed s/v6.1/v6.2/ boot.yaml | lava-lite job submit -",
        ),
    ),
    Command(
        words="job run",
        help="submit jobs, show their logs, and exit by their outcome",
        act=jobs.run,
        arguments=(FILES, TIMEOUT),
        examples=("lava-lite job run boot.yaml", "lava-lite job run --timeout 3600 --json boot.yaml"),
    ),
    Command(
        words="job list",
        help="list jobs, newest first",
        act=jobs.list_jobs,
        arguments=(
            arg("--state", metavar="STATE", help="Submitted, Running, Finished …; several with commas"),
            arg("--health", metavar="HEALTH", help="Complete, Incomplete, Canceled, Unknown"),
            arg("--outcome", metavar="OUTCOME", help="pass, fail, infrastructure or canceled"),
            arg("--submitter", metavar="USER", help="of this user"),
            arg("--device", metavar="NAME", help="that ran on this device"),
            arg("--type", dest="device_type", metavar="TYPE", help="for this type of device"),
            arg("--tag", metavar="TAG", help="that need this tag"),
            arg("--group", metavar="NUMBER", help="of the MultiNode group whose first job this is"),
            arg("-q", "--query", dest="q", metavar="TEXT", help="with this text in their description"),
            arg("--since", metavar="TIME", help="submitted since then: a time, or an age like 2h or 3d"),
            arg("--until", metavar="TIME", help="submitted before then"),
            LIMIT,
        ),
        examples=(
            "lava-lite job list --state Running,Submitted",
            "lava-lite job list --outcome fail --since 1d --json",
        ),
    ),
    Command(
        words="job show",
        help="show all about a job",
        act=jobs.show,
        arguments=(JOB,),
        examples=("lava-lite job show 12",),
    ),
    Command(
        words="job log",
        help="print a job's log",
        act=jobs.log,
        arguments=(
            JOB,
            arg("-f", "--follow", action="store_true", help="go on to the end, and exit by its outcome"),
            arg("--start", type=whole, default=0, metavar="BYTES", help="leave out so many bytes"),
            arg("--from-line", type=line, metavar="LINE", help="leave out what comes before this line"),
            arg("--to-line", type=line, metavar="LINE", help="leave out what comes after this line"),
            ATTEMPT,
            TIMEOUT,
        ),
        more="Lines are counted from 1. One of them is searched for by: lava-lite log search",
        examples=(
            "lava-lite job log 12 --follow",
            "lava-lite job log 12 | grep -n error",
            "lava-lite job log 12 --from-line 880 --to-line 900",
        ),
    ),
    Command(
        words="log search",
        help="list the lines of a job's log in which something is found",
        act=logs.search,
        arguments=(
            JOB,
            arg("pattern", metavar="TEXT", help="what is searched for"),
            arg("-E", "--regex", action="store_true", help="it is a regular expression"),
            arg("--case", action="store_true", help="capital letters and small ones differ"),
            ATTEMPT,
            LIMIT,
        ),
        more="The server searches, so nothing of the log travels but the hits. Exits with 1 if there is none.",
        examples=(
            "lava-lite log search 12 panic",
            "lava-lite log search 12 -E 'err(or|no) [0-9]+' --limit 5",
        ),
    ),
    Command(
        words="log check",
        help="say what is wrong with logs on the disk of this machine's lab",
        act=logs.check,
        arguments=(LOGS, DATA),
        more="Without a server. It changes nothing, and the lab may run. Exits with 1 if anything is wrong.",
        examples=("lava-lite log check", "lava-lite log check 12"),
    ),
    Command(
        words="log repair",
        help="mend logs on the disk of this machine's lab",
        act=logs.repair,
        arguments=(LOGS, DATA),
        more="Nothing is thrown away: what cannot be made whole stays beside the log. The lab may run.",
        examples=("lava-lite log repair 12",),
    ),
    Command(
        words="job results",
        help="list the results of a job's tests",
        act=jobs.results,
        arguments=(
            JOB,
            arg("--result", metavar="RESULT", help="pass, fail, skip or unknown"),
            arg("--suite", metavar="SUITE", help="of this suite"),
            ATTEMPT,
            LIMIT,
        ),
        examples=("lava-lite job results 12 --result fail",),
    ),
    Command(
        words="job steps",
        help="list the steps of a job, as its log tells of them",
        act=jobs.steps,
        arguments=(
            JOB,
            arg("--state", metavar="STATE", help="running, pass, fail, canceled or unfinished"),
            ATTEMPT,
            LIMIT,
        ),
        examples=("lava-lite job steps 12 --state fail",),
    ),
    Command(
        words="job definition",
        help="print a job's definition",
        act=jobs.definition,
        arguments=(JOB, arg("--whole", action="store_true", help="that of its whole MultiNode group")),
        examples=(
            "lava-lite job definition 12 > again.yaml",
            "lava-lite job definition --whole 14.1 > again.yaml",
        ),
    ),
    Command(
        words="job wait",
        help="wait until jobs have ended, and exit by their outcome",
        act=jobs.wait,
        arguments=(JOBS, TIMEOUT),
        examples=("lava-lite job wait 12 13 --timeout 600",),
    ),
    Command(
        words="job answer",
        help="tell a job that waits for a person that it may go on",
        act=jobs.answer,
        arguments=(
            JOB,
            arg("--failed", action="store_true", help="what it asked for could not be done"),
            arg("--comment", metavar="TEXT", help="printed by the test"),
        ),
        more="The question that has waited longest is answered; job show prints what is asked.",
        examples=("lava-lite job answer 12", 'lava-lite job answer 12 --failed --comment "no such button"'),
    ),
    Command(
        words="job cancel",
        help="cancel jobs",
        act=jobs.cancel,
        arguments=(JOBS, REASON),
        examples=('lava-lite job cancel 12 --reason "wrong kernel"',),
    ),
    Command(
        words="job pin",
        help="keep jobs with their logs and results, however old they get",
        act=jobs.pin,
        arguments=(JOBS, REASON),
        examples=('lava-lite job pin 12 --reason "the reference for 6.12"',),
    ),
    Command(
        words="job unpin",
        help="let the lab let go of jobs when they are old",
        act=jobs.unpin,
        arguments=(JOBS, REASON),
        examples=("lava-lite job unpin 12",),
    ),
    Command(
        words="job defer",
        help="have jobs that wait run later",
        act=jobs.defer,
        arguments=(
            JOBS,
            arg(
                "--for",
                dest="length",
                type=length,
                metavar="LENGTH",
                help="so long from now on: 90s, 30min, 12h or 3d",
            ),
            arg("--until", metavar="TIME", help="or not before then: 2030-01-31T12:00Z"),
            REASON,
        ),
        examples=('lava-lite job defer 12 --for 2h --reason "the board is needed"',),
    ),
    Command(
        words="job hurry",
        help="run jobs now that were deferred, or are to be tried again later",
        act=jobs.hurry,
        arguments=(JOBS,),
        examples=("lava-lite job hurry 12",),
    ),
    Command(
        words="job attempts",
        help="list the attempts of a job",
        act=jobs.attempts,
        arguments=(JOB, LIMIT),
        examples=("lava-lite job attempts 12", "lava-lite job log 12 --attempt 1"),
    ),
    Command(
        words="job resubmit",
        help="run a job again, as a new job",
        act=jobs.resubmit,
        arguments=(JOB, FOLLOW, TIMEOUT),
        examples=("lava-lite job resubmit 12 --follow",),
    ),
    Command(
        words="device list",
        help="list devices",
        act=devices.list_devices,
        arguments=(
            arg("--type", dest="device_type", metavar="TYPE", help="of this type"),
            arg("--worker", metavar="NAME", help="of this worker"),
            arg("--state", metavar="STATE", help="Idle, Reserved, Running"),
            arg("--health", metavar="HEALTH", help="Good, Unknown, Looping, Bad, Maintenance, Retired"),
            arg("--tag", metavar="TAG", help="with this tag"),
            arg("-q", "--query", dest="q", metavar="TEXT", help="with this text in name or description"),
            arg("--all", action="store_true", help="retired ones too"),
            LIMIT,
        ),
        examples=("lava-lite device list --health Bad,Maintenance",),
    ),
    Command(
        words="device show",
        help="show all about a device",
        act=devices.show,
        arguments=(arg("device", metavar="NAME", help="name of a device"),),
        examples=("lava-lite device show qemu01",),
    ),
    Command(
        words="device maintenance",
        help="take devices out: their jobs go on, and they get no new ones",
        act=devices.change_health("Maintenance"),
        arguments=(DEVICES, NEEDED_REASON),
        examples=('lava-lite device maintenance qemu01 qemu02 --reason "new cables"',),
    ),
    Command(
        words="device good",
        help="put devices back to work",
        act=devices.change_health("Good"),
        arguments=(DEVICES, REASON),
        examples=("lava-lite device good qemu01 qemu02",),
    ),
    Command(
        words="device check",
        help="have a device checked before it gets any other job",
        act=devices.act("check"),
        arguments=(arg("device", metavar="NAME", help="name of a device"), REASON),
        more="The health check of its type says whether it is Good or Bad; so a device in maintenance comes back.",
        examples=('lava-lite device check qemu01 --reason "new cables"',),
    ),
    Command(
        words="device loop",
        help="run the health checks of devices again and again, and no other jobs",
        act=devices.change_health("Looping"),
        arguments=(DEVICES, REASON),
        examples=('lava-lite device loop qemu01 --reason "is it stable now?"',),
    ),
    Command(
        words="device free",
        help="free a device that is closed, as nothing of the job that was ended there runs any more",
        act=devices.act("free"),
        arguments=(arg("device", metavar="NAME", help="name of a device"), NEEDED_REASON),
        more="The lab ended a job there by itself, and its worker has not confirmed that it stopped.",
        examples=('lava-lite device free qemu01 --reason "the worker is gone, the board is off"',),
    ),
    Command(
        words="device reserve",
        help="reserve a device, to use it by hand for a while",
        act=reservations.reserve,
        arguments=(
            arg("device", nargs="?", metavar="NAME", help="name of a device"),
            arg("--type", dest="device_type", metavar="TYPE", help="any device of this type instead"),
            arg("--tag", action="append", metavar="TAG", help="that has this tag; may be repeated"),
            arg(
                "--for",
                dest="length",
                type=length,
                required=True,
                metavar="LENGTH",
                help="how long, from when you hold it: 90min, 2h …",
            ),
            arg("--purpose", required=True, metavar="TEXT", help="what for, as everybody reads it"),
            arg("--wait", action="store_true", help="wait until it is held, and tell how it is reached"),
            TIMEOUT,
        ),
        more="It waits in the queue as a job does, and at its end the lab takes the device back.",
        examples=(
            'lava-lite device reserve qemu01 --for 1h --purpose "bisecting the boot" --wait',
            'lava-lite device reserve --type qemu --tag usb --for 30min --purpose "looking at usb"',
        ),
    ),
    Command(
        words="device retire",
        help="take devices out for good: their jobs are canceled, their history is kept",
        act=devices.change_health("Retired"),
        arguments=(DEVICES, REASON),
        examples=('lava-lite device retire qemu01 --reason "broken beyond repair"',),
    ),
    Command(
        words="reservation list",
        help="list the devices that people hold or wait for",
        act=reservations.list_reservations,
        arguments=(
            arg("--submitter", metavar="USER", help="by this user"),
            arg("--device", metavar="NAME", help="of this device"),
            arg("--all", action="store_true", help="those that are over, too"),
            LIMIT,
        ),
        examples=("lava-lite reservation list --submitter alice",),
    ),
    Command(
        words="reservation show",
        help="show a reservation, and to its holder how the device is reached",
        act=reservations.show,
        arguments=(RESERVATION,),
        examples=("lava-lite reservation show 12",),
    ),
    Command(
        words="reservation extend",
        help="hold the device for longer",
        act=reservations.extend,
        arguments=(
            RESERVATION,
            arg("--by", dest="length", type=length, required=True, metavar="LENGTH", help="30min, 1h …"),
        ),
        examples=("lava-lite reservation extend 12 --by 30min",),
    ),
    Command(
        words="reservation release",
        help="give the device back before the time is over",
        act=reservations.release,
        arguments=(RESERVATION,),
        more="One that still waits is taken out of the queue by: lava-lite job cancel",
        examples=("lava-lite reservation release 12",),
    ),
    Command(
        words="events tail",
        help="follow what happens, through every cut; Ctrl-C ends it",
        act=events.tail,
        arguments=(
            arg("--since", type=whole, metavar="N", help="from after this sequence on; by default from now"),
            arg(
                "--filter",
                default="",
                metavar="FILTER",
                help="topics as job.#, and names as submitter=alice, with spaces between them",
            ),
        ),
        more="With --json each line is an event as a CloudEvent.",
        examples=(
            "lava-lite events tail",
            "lava-lite events tail --filter 'job.# device_type=qemu'",
            "lava-lite events tail --since 0 --json > history.jsonl",
        ),
    ),
    Command(
        words="events wait",
        help="wait until a job comes to a state, without asking again and again",
        act=events.wait,
        arguments=(
            arg("what", choices=("job",), metavar="job", help="what is waited for"),
            JOB,
            arg(
                "--state",
                type=states,
                default=["Finished"],
                metavar="STATE",
                help="Running, Finished …; several by commas; Finished by default",
            ),
            TIMEOUT,
        ),
        more="Exits with 0 when it is there, at once if it was already, and with 7 if the job ends without.",
        examples=(
            "lava-lite events wait job 12 --state Running --timeout 600",
            "lava-lite events wait job 12 --state Canceling,Finished",
        ),
    ),
    Command(
        words="events subscribe",
        help="have the lab keep your place among the events, under a name",
        act=subscriptions.subscribe,
        arguments=(
            arg("name", metavar="NAME", help="letters, digits, ., _ and -"),
            arg(
                "--filter",
                default="",
                metavar="FILTER",
                help="topics as job.#, and names as submitter=alice, with spaces between them",
            ),
            PLACE,
            arg(
                "--days",
                type=whole,
                metavar="N",
                help="it expires after so many days in which nothing was fetched",
            ),
        ),
        more="What happens from then on waits until it is consumed.",
        examples=(
            "lava-lite events subscribe bridge --filter 'job.# state=finished'",
            "lava-lite events subscribe archive --since oldest --days 30",
        ),
    ),
    Command(
        words="events consume",
        help="print what a subscription has for you, or run a command for each event",
        act=subscriptions.consume,
        arguments=(
            SUBSCRIPTION,
            arg(
                "--exec",
                metavar="COMMAND",
                help="run this by the shell for each event, with the event in JSON on its standard input",
            ),
            arg("--once", action="store_true", help="end when there is nothing more, instead of waiting"),
            arg(
                "--batch",
                type=whole,
                default=100,
                metavar="N",
                help="fetch so many at once; %(default)s by default",
            ),
            TIMEOUT,
        ),
        more="An event is acknowledged when it is printed, or when its command exits with 0. If it exits with "
        "another code, this ends with 1, and the event comes again at the next start.",
        examples=(
            "lava-lite events consume bridge --json",
            "lava-lite events consume bridge --exec ./tell-the-dashboard",
        ),
    ),
    Command(
        words="events subscriptions",
        help="list your subscriptions",
        act=subscriptions.list_subscriptions,
        arguments=(LIMIT,),
        examples=("lava-lite events subscriptions",),
    ),
    Command(
        words="events renew",
        help="begin anew with a subscription, one that is expired too",
        act=subscriptions.renew,
        arguments=(SUBSCRIPTION, NEEDED_PLACE),
        examples=("lava-lite events renew bridge --since oldest",),
    ),
    Command(
        words="events unsubscribe",
        help="delete subscriptions",
        act=subscriptions.unsubscribe,
        arguments=(arg("names", nargs="+", metavar="NAME", help="names of subscriptions of yours"),),
        examples=("lava-lite events unsubscribe bridge",),
    ),
    Command(
        words="user list",
        help="list users",
        act=users.list_users,
        arguments=(LIMIT,),
        examples=("lava-lite user list",),
    ),
    Command(
        words="user show",
        help="show all about a user",
        act=users.show,
        arguments=(USER,),
        examples=("lava-lite user show alice",),
    ),
    Command(
        words="user add",
        help="add a user; a password is made and shown once",
        act=users.add,
        arguments=(
            USER,
            arg("--email", metavar="ADDRESS", help="for mails to the user"),
            arg("--group", action="append", metavar="NAME", help="a group of the user; may be repeated"),
            arg("--staff", action="store_true", help="may enter the admin site"),
            arg("--superuser", action="store_true", help="is an administrator, who may do everything"),
            PASSWORD_STDIN,
        ),
        examples=("lava-lite user add alice --group kernel",),
    ),
    Command(
        words="user password",
        help="give a user a new password, which is shown once",
        act=users.password,
        arguments=(
            USER,
            PASSWORD_STDIN,
            arg("--local", action="store_true", help="in this machine's data directory, without a server"),
            DATA,
        ),
        examples=("lava-lite user password alice", "lava-lite user password admin --local"),
    ),
    Command(
        words="token login",
        help="log in: a token for this machine is kept in lava_lite.yaml",
        act=tokens.login,
        arguments=LOGIN_ARGUMENTS,
        examples=(
            "lava-lite token login --server https://lab.example.org",
            "lava-lite token login --identity home --scope submit --days 90",
        ),
    ),
    Command(
        words="token list",
        help="list your tokens",
        act=tokens.list_tokens,
        arguments=(LIMIT,),
        examples=("lava-lite token list",),
    ),
    Command(
        words="token add",
        help="make a token; it is printed once",
        act=tokens.add,
        arguments=(arg("description", metavar="DESCRIPTION", help="what it is for"), SCOPE, DAYS),
        examples=('lava-lite token add "nightly build" --scope submit --days 365',),
    ),
    Command(
        words="token revoke",
        help="revoke tokens",
        act=tokens.revoke,
        arguments=(
            arg("tokens", nargs="+", type=whole, metavar="ID", help="ids as in: lava-lite token list"),
        ),
        examples=("lava-lite token revoke 3",),
    ),
    Command(
        words="login",
        help="the same as: token login",
        act=tokens.login,
        arguments=LOGIN_ARGUMENTS,
        examples=("lava-lite login --server https://lab.example.org",),
    ),
    Command(
        words="doctor",
        help="say what is wrong with the lab on this machine, or with --server, and how to mend it",
        act=doctor.examine,
        arguments=(DATA,),
        more="Exits with 1 if anything is bad. It changes nothing.",
        examples=("lava-lite doctor", "lava-lite doctor --server https://lab.example.org"),
    ),
    Command(
        words="whoami",
        help="show as whom you speak to which server",
        act=users.whoami,
        examples=("lava-lite whoami",),
    ),
)
