"""What the lab to look at holds: `python -m tests.gallery.contents full` fills the database of LAVA_LITE_DATA.

The same each time but for the clock: everything happened a fixed time before now. It prints, as JSON, where things
are and the secrets of the cast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count, cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from devices.models import Device
    from jobs.models import Job

STAFF = ("admin", "alice", "bob", "mallory")
TYPES = {
    "beaglebone-black": "TI AM335x, 512 MiB, eMMC.",
    "imx8mp-evk": "NXP i.MX 8M Plus evaluation kit.",
    "qemu-x86_64": "A virtual machine; starts in seconds.",
    "raspberrypi-4": "BCM2711, 4 GiB, boots over the network.",
    "rockpro64": "Rockchip RK3399, 4 GiB, PCIe.",
}
WORKERS = {"desk": "Under the desk of alice.", "rack-a": "Lab 2, left rack.", "rack-b": "Lab 2, right rack."}
DEVICES = (  # name, type, worker, tags
    ("bbb-01", "beaglebone-black", "rack-a", ("serial",)),
    ("bbb-02", "beaglebone-black", "rack-a", ("serial", "usb-relay")),
    ("bbb-03", "beaglebone-black", "rack-b", ()),
    ("imx8mp-01", "imx8mp-evk", "rack-b", ("hdmi",)),
    ("imx8mp-02", "imx8mp-evk", "rack-b", ("hdmi", "camera")),
    ("qemu-01", "qemu-x86_64", "rack-a", ()),
    ("qemu-02", "qemu-x86_64", "rack-a", ()),
    ("qemu-03", "qemu-x86_64", "rack-a", ()),
    ("rpi4-01", "raspberrypi-4", "rack-b", ("usb-relay",)),
    ("rpi4-02", "raspberrypi-4", "rack-b", ()),
    ("rpi4-03", "raspberrypi-4", "rack-b", ("hdmi",)),
    ("rockpro-01", "rockpro64", "desk", ()),
    ("rockpro-02", "rockpro64", "desk", ("nvme",)),
)
ACCESS = """\
access:
  - ssh -J gate.example.org root@rpi4-01
  - "serial console: ssh -t rack-a picocom -b 115200 /dev/rpi4-01"
executor: lava
"""
OUT = (  # device, health, by whom, why, how long ago
    ("bbb-03", "MAINTENANCE", "alice", "New power supply ordered, comes on Tuesday", timedelta(hours=29)),
    (
        "imx8mp-02",
        "BAD",
        "rack-b",
        "The health check failed: no boot prompt within 2 minutes",
        timedelta(hours=5),
    ),
    ("rpi4-03", "MAINTENANCE", "admin", "Lent to the graphics team", timedelta(days=9)),
)
SUITES = {  # what each case of a suite says
    "0_boot": {
        "kernel-version": ["Linux 6.13.0-rc4 aarch64"],
        "no-oops": ["dmesg: 0 oopses, 0 warnings"],
        "root-filesystem": ["/dev/mmcblk0p2 on / type ext4 (rw,relatime)"],
        "network-up": ["eth0: lease of 192.168.50.23 obtained", "ping: 5 sent, 5 received, 0.41 ms"],
    },
    "1_storage": {
        "emmc-detected": ["mmcblk0 29.7 GiB"],
        "read-throughput": ["1024 blocks read", "43.7 MB/s"],
        "write-throughput": ["1024 blocks written"],
        "fsck": ["rootfs: clean, 41903/1921360 files, 512177/7772416 blocks"],
    },
    "2_usb": {
        "hub": ["Bus 001 Device 002: ID 2109:3431 VIA Labs, Inc. Hub"],
        "mass-storage": ["sda: 14.9 GiB, SanDisk Ultra Fit"],
        "hot-plug": ["usb 1-1.3: USB disconnect, device number 4"],
    },
}
FAULTS = {
    "write-throughput": "ERROR: 9.1 MB/s, expected at least 15",
    "hot-plug": "ERROR: the hub did not come back within 10 seconds",
}
MEASURED = {
    "read-throughput": ("43.7", "MB/s"),
    "write-throughput": ("18.25", "MB/s"),
    "network-up": ("3.4", "s"),
}
KERNELS = ("v6.12.9", "v6.13-rc4", "next-20261120", "stable-6.6.62")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finished job, as the cast remembers it."""

    name: str
    by: str
    device: str
    ago: timedelta
    took: timedelta = timedelta(minutes=6, seconds=12)
    failing: tuple[str, ...] = ()
    error: tuple[str, str] | None = None  # type and words
    visibility: Any = "public"


def main(kind: str) -> None:
    _make_database()
    cast = _cast()
    places: dict[str, int | str] = {**_Lab(cast).fill()} if kind == "full" else {}
    secrets = _secrets(cast)
    places["token"] = cast["alice"].tokens.get().pk
    for name in ("artifact-store", "kernel-mirror"):
        places["remote_token"] = cast["alice"].remote_tokens.create(name=name, secret="hunter2x").pk
    places["webhook"] = _webhook(cast["alice"])
    places["subscription"] = _subscriptions(cast["alice"])
    print(json.dumps({"places": places, **secrets}))  # noqa: T201


def minutes(number: int) -> timedelta:
    """And a half, so that pages say the same a little later."""
    return timedelta(minutes=number, seconds=30)


def _make_database() -> None:
    from lava_lite import first_start, options, roles

    first_start.make_key(options.data_directory())
    roles.set_up_django()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)


def _cast() -> dict[str, User]:
    from tests import build

    people = {"admin": build.admin(), "alice": build.user("alice", build.group("kernel"))}
    return {**people, "bob": build.user("bob", build.group("kernel")), "mallory": build.user("mallory")}


def _secrets(cast: dict[str, User]) -> dict[str, dict[str, str]]:
    from accounts.models import Token

    return {
        "sessions": {name: _session(user) for name, user in cast.items()},
        "tokens": {
            name: Token.objects.issue(user, description="CI of the kernel team")
            for name, user in cast.items()
        },
    }


def _webhook(user: User) -> str:
    """One whose endpoint had trouble, and is well again."""
    from django.utils import timezone

    from events import numbering
    from events.models import Event, Webhook
    from events.webhooks import messages
    from events.webhooks.client import Reply
    from events.webhooks.courier import Sent, record

    numbering.number_committed()
    webhook = Webhook.objects.create(
        user=user,
        address="https://ci.example.org/lab",
        filter="job.# submitter=alice state=finished",
        description="CI of the kernel team",
        sequence=0,
    )
    begun = timezone.now() - minutes(9)
    record(webhook.pk, [Sent(messages.ping(webhook, begun), Reply(status=204), begun)])
    for event in Event.objects.filter(type="job.completed", sequence__isnull=False).order_by("sequence")[:2]:
        for number, reply in enumerate((Reply(status=502, answer="no disk"), Reply(status=200))):
            record(webhook.pk, [Sent(messages.of_event(event), reply, begun + minutes(1 + number))])
    return str(webhook.uuid)


def _subscriptions(user: User) -> str:
    """One that is read all the time, and one that nobody has read for long."""
    from django.utils import timezone

    from events.subscriptions import delivery, lifecycle

    old = lifecycle.add(user, "old-dashboard", since="oldest")
    old.expires = timezone.now() - minutes(90)
    old.save()
    bridge = lifecycle.add(user, "ci-bridge", filter="job.# submitter=alice state=finished", since="oldest")
    delivery.fetch(bridge, limit=1)
    return bridge.name


def _session(user: User) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


class _Lab:
    def __init__(self, cast: dict[str, User]) -> None:
        from django.utils import timezone

        self._cast = cast
        self._now = timezone.now()

    def fill(self) -> dict[str, int]:
        """Where the jobs are that pages are shown of."""
        self._inventory()
        for told in _everyday():
            self._finished(told)
        self._take_out()
        # In the order in which they were submitted.
        places = {
            "private": self._finished(PRIVATE),
            "broken": self._finished(BROKEN),
            "canceled": self._canceled(),
            "retried": self._tried_again(),
            "queued": self._waits("camera pipeline", "alice", "imx8mp-evk", minutes(48), tags=["camera"]),
            "passed": self._finished(PASSED),
            "held": self._held("bisecting the eMMC timeout", "alice", "rpi4-01"),
            "running": self._runs("stress the eMMC", "alice", "bbb-01", minutes(34), hours=2),
            "asking": self._asks("hot-plug the camera", "alice", "imx8mp-01", minutes(9)),
        }
        places["together"] = self._together("boot the kernel over NFS", "alice", minutes(6))
        self._waits("PCIe link training", "bob", "rockpro64", minutes(21))
        places["failed"] = self._finished(FAILED)
        self._runs("boot v6.13-rc4 with KASAN", "bob", "bbb-02", minutes(3), hours=1)
        self._waits("USB storage, again", "alice", "beaglebone-black", minutes(2))
        self._tell()
        return places

    def _inventory(self) -> None:
        from devices.models import (
            Device,
            DeviceRight,
            DeviceType,
            DeviceTypeRight,
            HealthChange,
            Right,
            Worker,
        )
        from devices.states import WorkerState
        from tests import build

        for name, words in TYPES.items():
            build.device_type(name, description=words, dictionary="executor: lava\n")
        for name, words in WORKERS.items():
            state = WorkerState.OFFLINE if name == "desk" else WorkerState.ONLINE
            worker = build.worker(name, state=state, description=words, version="2023.01")
            silent = timedelta(hours=2, minutes=4) if name == "desk" else timedelta(seconds=4)
            Worker.objects.filter(pk=worker.pk).update(last_ping=self._now - silent)
        for name, device_type, host, tags in DEVICES:
            build.device(name, device_type=device_type, worker=host, tags=tags)
        HealthChange.objects.update(time=self._now - timedelta(days=40))
        Device.objects.update(health_since=self._now - timedelta(days=40))
        kernel = build.group("kernel")
        boards = DeviceType.objects.get(pk="raspberrypi-4")
        DeviceTypeRight.objects.create(group=kernel, device_type=boards, right=Right.CHANGE)
        DeviceRight.objects.create(group=kernel, device_id="imx8mp-01", right=Right.SUBMIT)

    def _take_out(self) -> None:
        from devices import lifecycle
        from devices.models import Device
        from devices.states import DeviceHealth

        for name, health, by, reason, ago in OUT:
            lifecycle.set_health(name, DeviceHealth[health], by=by, reason=reason)
            self._date_health(Device.objects.get(pk=name), self._now - ago)

    def _date_health(self, device: Device, moment: datetime) -> None:
        """The last change of a device's health happened at another time."""
        from devices.models import HealthChange

        type(device).objects.filter(pk=device.pk).update(health_since=moment)
        last = HealthChange.objects.filter(device=device).latest("id")
        last.delete()
        said = {name: getattr(last, name) for name in ("previous", "health", "reason", "by")}
        HealthChange.objects.add(device, moment, **said)

    def _finished(self, told: Told) -> int:
        from jobs import lifecycle
        from jobs.lifecycle import Ending

        job = self._started(told.name, told.by, told.device, told.ago + told.took, visibility=told.visibility)
        self._write(job, _log(told))
        error_type, words = told.error or ("", "")
        ending = Ending(passed=told.error is None, error_type=error_type, errors=words)
        lifecycle.finish(job.pk, ending, worker="rack-a")
        self._date(job, ended=self._now - told.ago)
        return job.pk

    def _canceled(self) -> int:
        from jobs import lifecycle
        from jobs.lifecycle import Ending

        job = self._started("boot next-20261120 by network", "bob", "qemu-02", timedelta(minutes=52))
        self._write(job, _boot("qemu-02"))
        lifecycle.cancel_for(job, self._cast["bob"], reason="wrong branch")
        lifecycle.finish(job.pk, Ending(passed=False), worker="rack-a")
        self._date(job, ended=self._now - timedelta(minutes=50))
        return job.pk

    def _held(self, purpose: str, by: str, device: str) -> int:
        """Reserved by a person, who has been told that it ends soon."""
        from devices.models import Device
        from jobs import lifecycle, reservations
        from jobs.models import Job
        from jobs.reservations import Wish

        Device.objects.filter(pk=device).update(dictionary=ACCESS)
        wish = Wish(device=device, length=timedelta(hours=2), purpose=purpose)
        pk = lifecycle.reserve(wish, by=self._cast[by]).pk
        lifecycle.schedule(pk, device)
        reservations.settle(pk)
        began, now = self._now - minutes(112), self._now
        Job.objects.filter(pk=pk).update(
            submit_time=began - minutes(3), start_time=began, deadline=now + minutes(8), expiring_since=now
        )
        return pk

    def _tried_again(self) -> int:
        """It waits for its third attempt."""
        from jobs import lifecycle
        from jobs.lifecycle import Ending
        from jobs.models import Job

        retry = {"attempts": 4, "delay": {"minutes": 20}}
        job = self._started(
            "boot v6.12.9 by TFTP", "alice", "qemu-02", minutes(44), lava_lite={"retry": retry}
        )
        for error in ("The TFTP server does not answer", "No lease from the DHCP server within 60 seconds"):
            if job.attempt > 1:
                lifecycle.schedule(job.pk, "qemu-02")
                lifecycle.start(job.pk, worker="rack-a")
            ending = Ending(passed=False, error_type="Infrastructure", errors=error)
            lifecycle.finish(job.pk, ending, worker="rack-a")
            job = Job.objects.get(pk=job.pk)
        return job.pk

    def _runs(self, name: str, by: str, device: str, ago: timedelta, *, hours: int) -> int:
        """`hours` are what it may take."""
        job = self._started(name, by, device, ago, timeouts={"job": {"hours": hours}})
        self._write(job, [*_boot(device), *_tests()[:4]])
        return job.pk

    def _together(self, name: str, by: str, ago: timedelta) -> int:
        """A group runs: the place of its second job."""
        from jobs import lifecycle
        from jobs.models import Job
        from tests import build

        text = build.multinode(
            "server", "client", name=name, device_type="qemu-x86_64", timeouts={"job": {"hours": 1}}
        )
        group = lifecycle.submit(text, by=self._cast[by]).group
        Job.objects.filter(group=group).update(submit_time=self._now - ago - timedelta(seconds=41))
        server, client = Job.objects.filter(group=group).order_by("member").values_list("pk", flat=True)
        lifecycle.schedule_together({server: "qemu-01", client: "qemu-03"})
        for pk, device in ((server, "qemu-01"), (client, "qemu-03")):
            lifecycle.start(pk, worker="rack-a")
            Job.objects.filter(pk=pk).update(start_time=self._now - ago)
            self._write(Job.objects.get(pk=pk), [*_boot(device), *_tests()[:4]])
        return client

    def _asks(self, name: str, by: str, device: str, ago: timedelta) -> int:
        """A person is to do something."""
        from tests import build

        job = self._started(name, by, device, ago, timeouts={"job": {"hours": 1}})
        self._write(job, _boot(device))
        build.question(job, "Plug%20the%20camera%20into%20the%20left%20socket", seconds=1800)
        return job.pk

    def _waits(self, name: str, by: str, device_type: str, ago: timedelta, **more: Any) -> int:
        return self._submitted(name, by, device_type, ago, **more).pk

    def _started(self, name: str, by: str, device: str, ago: timedelta, **more: Any) -> Job:
        from jobs import lifecycle
        from jobs.models import Job

        kind = next(kind for each, kind, *_ in DEVICES if each == device)
        job = self._submitted(name, by, kind, ago + timedelta(seconds=41), **more)
        lifecycle.schedule(job.pk, device)
        lifecycle.start(job.pk, worker="rack-a")
        Job.objects.filter(pk=job.pk).update(start_time=self._now - ago)
        found: Job = Job.objects.get(pk=job.pk)
        return found

    def _submitted(self, name: str, by: str, device_type: str, ago: timedelta, **more: Any) -> Job:
        from jobs import lifecycle
        from jobs.models import Job
        from tests import build

        text = build.definition(name, device_type=device_type, steps=STEPS, **more)
        job = lifecycle.submit(text, by=self._cast[by])
        # Before anything is written, as the log lies where this says.
        Job.objects.filter(pk=job.pk).update(submit_time=self._now - ago)
        found: Job = Job.objects.get(pk=job.pk)
        return found

    def _tell(self) -> None:
        """Of each job when it happened, and in that order."""
        from django.db.models import F

        from events.models import Event
        from jobs.history import queue
        from jobs.models import Job

        said = list(Event.objects.filter(job_id__isnull=False).order_by("id"))
        jobs = Job.objects.in_bulk([event.job_id for event in said])
        for event in said:
            job = jobs[event.job_id]
            begun = job.start_time or job.submit_time
            times = {"job.submitted": job.submit_time, "job.scheduled": begun, "job.started": begun}
            event.time = times.get(event.type, job.end_time or begun)
        Event.objects.update(sequence=-F("sequence"))
        said.sort(key=lambda event: event.time)
        for sequence, event in enumerate(said, start=1):
            Event.objects.filter(pk=event.pk).update(sequence=sequence, time=event.time)
        queue.run_once()

    def _date(self, job: Job, *, ended: datetime) -> None:
        from devices.models import Device
        from jobs.models import Job

        Device.objects.filter(pk=job.device_id).update(last_used=ended)
        # What the job's end made of it happened then, too.
        device = Device.objects.get(pk=job.device_id)
        if device.health_changes.filter(time__gt=self._now).exists():
            self._date_health(device, ended)
        Job.objects.filter(pk=job.pk).update(end_time=ended)
        job.attempts.update(started=job.start_time, ended=ended)

    def _write(self, job: Job, lines: Sequence[Line]) -> None:
        from jobs import logs, results, steps
        from jobs.logs import Record

        began = (job.start_time or job.submit_time).astimezone(UTC).replace(tzinfo=None)
        records = [
            Record(time=began + timedelta(milliseconds=170 * number), level=level, message=message)
            for number, (level, message) in enumerate(_with_places(lines))
        ]
        appended = logs.append(job.log_directory(), 0, records)
        steps.collect(job.attempts.get(), appended)
        found = [results.Found(index=number, record=record) for number, record in enumerate(records)]
        results.collect(job.attempts.get(), found)


Line = tuple[str, Any]  # level and message

STEPS = (
    "uname -a",
    "lava-test-case no-oops --shell ./no-oops.sh",
    "lava-test-case read-throughput --result pass --measurement 43.7 --units MB/s",
)
PRIVATE = Told(
    name="customer branch, embargoed",
    by="alice",
    device="rockpro-01",
    ago=timedelta(hours=3),
    visibility="personal",
)
BROKEN = Told(
    name="boot v6.12.9 from eMMC",
    by="alice",
    device="bbb-02",
    ago=timedelta(hours=1, minutes=20),
    error=("Infrastructure", "The serial port of bbb-02 fell silent: ser2net answers, the board does not"),
)
PASSED = Told(name="boot v6.13-rc4 by network", by="bob", device="rpi4-01", ago=minutes(32))
FAILED = Told(
    name="storage and USB on next-20261120",
    by="alice",
    device="rpi4-02",
    ago=minutes(12),
    failing=("write-throughput", "hot-plug"),
    error=("Test", "hot-plug: the hub did not come back after the second reset"),
)


def _everyday() -> Iterator[Told]:
    """What the lab did in the last days: mostly well."""
    devices = cycle(name for name, *_ in DEVICES if not name.startswith("rockpro"))
    people = cycle(("alice", "bob", "alice", "admin", "bob"))
    for number in range(60, 0, -1):
        yield Told(
            name=f"boot {KERNELS[number % 4]} by network",
            by=next(people),
            device=next(devices),
            ago=timedelta(hours=2, minutes=10) + timedelta(minutes=47) * number,
            took=timedelta(minutes=2 + number * 7 % 9, seconds=number * 11 % 60),
            failing=("write-throughput",) if number % 9 == 0 else (),
            error=("Job", "auto-login-action timed out after 120 seconds") if number % 13 == 0 else None,
        )


def _log(told: Told) -> list[Line]:
    failed = [("exception", told.error[1])] if told.error else []
    ends = [_ends("3.1", "lava-test-shell", told.error), _ends("3", "lava-test-retry", told.error)]
    last: list[Line] = [_begins("4", "finalize"), ("info", "power off"), *_ends("4", "finalize")]
    return [*_boot(told.device), *_tests(told.failing), *failed, *chain(*ends), *last]


def _begins(level: str, name: str) -> Line:
    return "info", f"start: {level} {name} (timeout 00:04:00) [common]"


def _ends(level: str, name: str, error: tuple[str, str] | None = None) -> list[Line]:
    end: list[Line] = [("info", f"end: {level} {name} (duration 00:00:01) [common]")]
    if error:
        fault = {"definition": "lava", "case": name, "level": level, "result": "fail"}
        end.append(("results", {**fault, "extra": {"fail": error[1]}}))
    return end


def _boot(device: str) -> list[Line]:
    times = count(1)
    return [
        _begins("1", "tftp-deploy"),
        _begins("1.1", "download-retry"),
        _begins("1.1.1", "http-download"),
        ("info", "downloading Image.gz"),
        *_ends("1.1.1", "http-download"),
        *_ends("1.1", "download-retry"),
        *_ends("1", "tftp-deploy"),
        _begins("2", "boot-retry"),
        _begins("2.1", "reset-device"),
        ("info", f"lava-dispatcher, {device}: power on"),
        ("debug", "pdu-reboot -> exit code 0"),
        *_ends("2.1", "reset-device"),
        _begins("2.2", "auto-login-action"),
        *(("target", f"[{next(times) * 0.137:12.6f}] {words}") for words in KERNEL),
        ("target", f"{device} login: root"),
        *_ends("2.2", "auto-login-action"),
        *_ends("2", "boot-retry"),
        _begins("3", "lava-test-retry"),
        _begins("3.1", "lava-test-shell"),
    ]


def _tests(failing: Sequence[str] = ()) -> list[Line]:
    lines: list[Line] = []
    for suite, cases in SUITES.items():
        lines.append(("target", f"<LAVA_SIGNAL_STARTRUN {suite}>"))
        lines.append(("info", f"Starting test lava.{suite} (7_1.1.3.1)"))
        for case, said in cases.items():
            lines.append(("target", f"+ ./{case}.sh"))
            lines += [("target", words) for words in said]
            if case in failing:
                lines.append(("error", f"{case}: {FAULTS[case]}"))
            lines.append(("results", _result(suite, case, failed=case in failing)))
        lines.append(("info", f"Ending test lava.{suite} (7_1.1.3.1), duration 2.31"))
    return lines


def _with_places(lines: Sequence[Line]) -> Iterator[Line]:
    """Each result with the numbers of the records that belong to it."""
    start = 0
    for number, (level, message) in enumerate(lines):
        if level == "results":
            yield level, {**message, "starttc": start, "endtc": number}
            start = number + 1
        else:
            yield level, message


def _result(suite: str, case: str, *, failed: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"definition": suite, "case": case, "result": "fail" if failed else "pass"}
    if case in MEASURED and not failed:
        message["measurement"], message["units"] = MEASURED[case]
    return message


KERNEL = (
    "Booting Linux on physical CPU 0x0",
    "Linux version 6.13.0-rc4 (ci@build-7) (gcc 14.2.0)",
    "Memory: 3884316K/4050944K available",
    "smp: Brought up 1 node, 4 CPUs",
    "devtmpfs: initialized",
    "clocksource: arch_sys_counter",
    "NET: Registered PF_INET protocol family",
    "usbcore: registered new interface driver hub",
    "mmc0: SDHCI controller on fe340000.mmc using ADMA",
    "mmcblk0: mmc0:aaaa SN32G 29.7 GiB",
    "EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode",
    "Run /sbin/init as init process",
    "usb 1-1: new high-speed USB device number 2",
    "hub 1-1:1.0: 4 ports detected",
    "bcmgenet fd580000.ethernet eth0: Link is Up - 1Gbps/Full",
)


if __name__ == "__main__":
    main(sys.argv[1])
