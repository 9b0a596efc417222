"""Every page and every list that people and programs read, for the benchmark of pages.

An address may name the jobs of the history's plan; `{last}` is the offset of a list's last page. A new page is a new
line here.
"""

from __future__ import annotations

from dataclasses import dataclass

EVERYBODY, MEMBERS, ADMINS = ("anonymous", "member", "admin"), ("member", "admin"), ("admin",)
DEVICE, TYPE, WORKER = "board-02-00", "board-02", "worker-2"  # seen by everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    name: str
    address: str
    visitors: tuple[str, ...]
    status: int = 200


def _pages(visitors: tuple[str, ...], group: str, addresses: dict[str, str]) -> list[Page]:
    return [
        Page(name=f"{group}: {name}", address=address, visitors=visitors)
        for name, address in addresses.items()
    ]


PAGES = [
    *_pages(
        EVERYBODY,
        "page",
        {
            "home": "/",
            "home, live": "/?fragment=live",
            "login": "/login/",
            "jobs, first": "/jobs/",
            "jobs, live": "/jobs/?fragment=live",
            "jobs, middle": "/jobs/?before={plan.plain}",
            "jobs, last": "/jobs/?after=0",
            "jobs, queued": "/jobs/?status=queued",
            "jobs, running": "/jobs/?status=running",
            "jobs, complete": "/jobs/?status=complete",
            "jobs, incomplete": "/jobs/?status=incomplete",
            "jobs, incomplete, last": "/jobs/?status=incomplete&after=0",
            "jobs, canceled": "/jobs/?status=canceled",
            "job, log": "/job/{plan.plain}/",
            "job, long log": "/job/{plan.big}/",
            "job, running": "/job/{plan.running}/",
            "job, queued": "/job/{plan.queued}/",
            "job, results": "/job/{plan.plain}/?tab=results",
            "job, 50,000 results": "/job/{plan.big}/?tab=results",
            "job, 50,000 results, last": "/job/{plan.big}/?tab=results&page=100",
            "job, definition": "/job/{plan.plain}/?tab=definition",
            "job, definition raw": "/job/{plan.plain}/definition",
            "job, log-tail": "/job/{plan.big}/log-tail?start=1400000",
            "job, log raw": "/job/{plan.big}/log",
            "devices": "/devices/",
            "device": f"/device/{DEVICE}/",
        },
    ),
    Page(name="page: unknown", address="/nowhere/", visitors=EVERYBODY, status=404),
    *_pages(MEMBERS, "page", {"submit": "/submit/", "submit again": "/submit/?job={plan.plain}"}),
    *_pages(
        EVERYBODY,
        "v0.2",
        {
            "root": "/api/v0.2/",
            "jobs, first": "/api/v0.2/jobs/",
            "jobs, middle": "/api/v0.2/jobs/?offset={middle}",
            "jobs, last": "/api/v0.2/jobs/?offset={last}",
            "jobs, running": "/api/v0.2/jobs/?state=Running",
            "jobs, incomplete": "/api/v0.2/jobs/?health=Incomplete",
            "jobs, of a device": f"/api/v0.2/jobs/?actual_device={DEVICE}",
            "jobs, of a type": f"/api/v0.2/jobs/?requested_device_type={TYPE}",
            "jobs, of somebody": "/api/v0.2/jobs/?submitter=user-01",
            "jobs, named": "/api/v0.2/jobs/?description__contains=branch",
            "jobs, named by nobody": "/api/v0.2/jobs/?description__contains=nobody",
            "jobs, since": "/api/v0.2/jobs/?submit_time__gt=2020-01-01",
            "jobs, by end": "/api/v0.2/jobs/?ordering=-end_time",
            "job": "/api/v0.2/jobs/{plan.plain}/",
            "suites": "/api/v0.2/jobs/{plan.plain}/suites/",
            "tests": "/api/v0.2/jobs/{plan.plain}/tests/",
            "50,000 tests, first": "/api/v0.2/jobs/{plan.big}/tests/",
            "50,000 tests, last": "/api/v0.2/jobs/{plan.big}/tests/?offset={last}",
            "devices": "/api/v0.2/devices/",
            "devices, last": "/api/v0.2/devices/?offset={last}",
            "device": f"/api/v0.2/devices/{DEVICE}/",
            "device types": "/api/v0.2/devicetypes/",
            "device type": f"/api/v0.2/devicetypes/{TYPE}/",
            "workers": "/api/v0.2/workers/",
            "worker": f"/api/v0.2/workers/{WORKER}/",
            "version": "/api/v0.2/system/version/",
        },
    ),
    *_pages(
        ADMINS,
        "admin",
        {
            "index": "/admin/",
            "jobs": "/admin/jobs/job/",
            "jobs, last": "/admin/jobs/job/?p={admin_last}",
            "jobs, incomplete": "/admin/jobs/job/?health__exact=2",
            "jobs, found": "/admin/jobs/job/?q=branch",
            "job": "/admin/jobs/job/{plan.plain}/change/",
            "devices": "/admin/devices/device/",
            "device": f"/admin/devices/device/{DEVICE}/change/",
            "device types": "/admin/devices/devicetype/",
            "workers": "/admin/devices/worker/",
            "tokens": "/admin/accounts/token/",
            "users": "/admin/auth/user/",
            "groups": "/admin/auth/group/",
            "events": "/admin/events/event/",
            "events, last": "/admin/events/event/?p={admin_last}",
            "events, completed": "/admin/events/event/?type=job.completed",
        },
    ),
]
