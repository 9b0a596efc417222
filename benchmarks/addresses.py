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
    is_long: bool = False  # and may take long


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
            "jobs, passed": "/jobs/?status=passed",
            "jobs, passed, last": "/jobs/?status=passed&after=0",
            "jobs, failed": "/jobs/?status=failed",
            "jobs, failed, last": "/jobs/?status=failed&after=0",
            "jobs, lab error": "/jobs/?status=lab-error",
            "jobs, canceled": "/jobs/?status=canceled",
            "jobs, canceled, last": "/jobs/?status=canceled&after=0",
            "jobs, of a type": f"/jobs/?type={TYPE}",
            "jobs, of a type, last": f"/jobs/?type={TYPE}&after=0",
            "jobs, of a device": f"/jobs/?device={DEVICE}",
            "jobs, of somebody": "/jobs/?submitter=user-01",
            "jobs, of nobody": "/jobs/?submitter=nobody",
            "jobs, tagged": "/jobs/?tag=tag-1",
            "jobs, named": "/jobs/?q=branch",
            "jobs, named by nobody": "/jobs/?q=nobody",
            "jobs, by all filters": f"/jobs/?status=failed&type={TYPE}&submitter=user-01&q=boot&tag=tag-1",
            "job, log": "/job/{plan.plain}/",
            "job, long log": "/job/{plan.big}/",
            "job, running": "/job/{plan.running}/",
            "job, queued": "/job/{plan.queued}/",
            "job, results": "/job/{plan.plain}/?tab=results",
            "job, 50,000 results": "/job/{plan.big}/?tab=results",
            "job, 50,000 results, last": "/job/{plan.big}/?tab=results&page=500",
            "job, definition": "/job/{plan.plain}/?tab=definition",
            "job, definition raw": "/job/{plan.plain}/definition",
            "job, log-tail": "/job/{plan.big}/log-tail?start=1400000",
            "job, log raw": "/job/{plan.big}/log",
            "job, failed results": "/job/{plan.big}/?tab=results&result=fail",
            "job, results of a suite": "/job/{plan.big}/?tab=results&suite=0_smoke",
            "devices": "/devices/",
            "devices, live": "/devices/?fragment=live",
            "devices, last": "/devices/?all=1&page=3",
            "devices, ailing": "/devices/?health=ailing",
            "devices, of a type": f"/devices/?type={TYPE}",
            "device": f"/device/{DEVICE}/",
            "device, oldest history": f"/device/{DEVICE}/?after=0",
            "device types": "/device-types/",
            "device type": f"/device-type/{TYPE}/",
            "workers": "/workers/",
            "worker": f"/worker/{WORKER}/",
            "api reference": "/api/docs/",
            "api reference of v0.2": "/api/docs/v0.2/",
        },
    ),
    Page(name="page: unknown", address="/nowhere/", visitors=EVERYBODY, status=404),
    *_pages(
        MEMBERS,
        "page",
        {
            "submit": "/submit/",
            "submit again": "/submit/?job={plan.plain}",
            "account": "/account/",
            "password": "/account/password/",
            "tokens": "/tokens/",
        },
    ),
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
            "metadata": "/api/v0.2/jobs/{plan.plain}/metadata/",
            "definition": "/api/v0.2/jobs/{plan.plain}/definition/",
            "log": "/api/v0.2/jobs/{plan.plain}/logs/",
            "csv": "/api/v0.2/jobs/{plan.plain}/csv/",
            "yaml": "/api/v0.2/jobs/{plan.plain}/yaml/",
            "junit": "/api/v0.2/jobs/{plan.plain}/junit/",
            "tap13": "/api/v0.2/jobs/{plan.plain}/tap13/",
            "devices": "/api/v0.2/devices/",
            "devices, last": "/api/v0.2/devices/?offset={last}",
            "device": f"/api/v0.2/devices/{DEVICE}/",
            "device types": "/api/v0.2/devicetypes/",
            "device type": f"/api/v0.2/devicetypes/{TYPE}/",
            "workers": "/api/v0.2/workers/",
            "worker": f"/api/v0.2/workers/{WORKER}/",
            "version": "/api/v0.2/system/version/",
            "whoami": "/api/v0.2/system/whoami/",
        },
    ),
    *_pages(MEMBERS, "v0.2", {"aliases": "/api/v0.2/aliases/", "tags": "/api/v0.2/tags/"}),
    *_pages(
        ADMINS,
        "v0.2",
        {
            "users": "/api/v0.2/users/",
            "groups": "/api/v0.2/groups/",
            "rights on types": "/api/v0.2/permissions/devicetypes/",
            "rights on devices": "/api/v0.2/permissions/devices/",
        },
    ),
    *_pages(
        EVERYBODY,
        "v1",
        {
            "root": "/api/v1/",
            "system": "/api/v1/system/",
            "jobs, first": "/api/v1/jobs/",
            "jobs, middle": "/api/v1/jobs/?before={plan.plain}",
            "jobs, last": "/api/v1/jobs/?after=0",
            "jobs, running": "/api/v1/jobs/?state=Running",
            "jobs, failed": "/api/v1/jobs/?outcome=fail",
            "jobs, passed, last": "/api/v1/jobs/?outcome=pass&after=0",
            "jobs, incomplete": "/api/v1/jobs/?health=Incomplete",
            "jobs, of a device": f"/api/v1/jobs/?device={DEVICE}",
            "jobs, of a type": f"/api/v1/jobs/?device_type={TYPE}",
            "jobs, of somebody": "/api/v1/jobs/?submitter=user-01",
            "jobs, tagged": "/api/v1/jobs/?tag=tag-1",
            "jobs, named": "/api/v1/jobs/?q=branch",
            "jobs, named by nobody": "/api/v1/jobs/?q=nobody",
            "jobs, since": "/api/v1/jobs/?since=2020-01-01T00:00:00Z",
            "job": "/api/v1/jobs/{plan.plain}/",
            "job, queued": "/api/v1/jobs/{plan.queued}/",
            "job, with 50,000 results": "/api/v1/jobs/{plan.big}/",
            "definition": "/api/v1/jobs/{plan.plain}/definition/",
            "results": "/api/v1/jobs/{plan.plain}/results/",
            "50,000 results, first": "/api/v1/jobs/{plan.big}/results/",
            "50,000 results, failed": "/api/v1/jobs/{plan.big}/results/?result=fail",
            "50,000 results, last": "/api/v1/jobs/{plan.big}/results/?before=999999999",
            "devices": "/api/v1/devices/",
            "device": f"/api/v1/devices/{DEVICE}/",
            "history": f"/api/v1/devices/{DEVICE}/history/",
            "history, last": f"/api/v1/devices/{DEVICE}/history/?after=0",
            "device types": "/api/v1/device-types/",
            "device type": f"/api/v1/device-types/{TYPE}/",
            "availability": f"/api/v1/device-types/{TYPE}/availability/",
            "workers": "/api/v1/workers/",
            "worker": f"/api/v1/workers/{WORKER}/",
            "description": "/api/v1/openapi.json",
            "description of v0.2": "/api/v0.2/openapi.json",
        },
    ),
    *_pages(MEMBERS, "v1", {"whoami": "/api/v1/whoami/", "tokens": "/api/v1/tokens/"}),
    *_pages(ADMINS, "v1", {"users": "/api/v1/users/", "user": "/api/v1/users/user-01/"}),
    # Whole results of one job: they are as long as they are, and stream.
    Page(
        name="v0.2: 50,000 results as csv",
        address="/api/v0.2/jobs/{plan.big}/csv/",
        visitors=ADMINS,
        is_long=True,
    ),
    Page(
        name="v0.2: 50,000 results as junit",
        address="/api/v0.2/jobs/{plan.big}/junit/",
        visitors=ADMINS,
        is_long=True,
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
            "rights on types": "/admin/devices/devicetyperight/",
            "rights on devices": "/admin/devices/deviceright/",
            "aliases": "/admin/devices/alias/",
            "tags": "/admin/devices/tag/",
            "health history": "/admin/devices/healthchange/",
            "attempts": "/admin/jobs/attempt/",
            "audit trail": "/admin/admin/logentry/",
            "events": "/admin/events/event/",
            "events, last": "/admin/events/event/?p={admin_last}",
            "events, completed": "/admin/events/event/?type=job.completed",
        },
    ),
]
