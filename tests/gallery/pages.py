"""Every page that people look at, by the name of its picture. A new page is a new line here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser
from playwright.sync_api import Page as Window

from tests.gallery.lab import Lab

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (1400, 390)
HEIGHTS = {1400: 900, 390: 844}
SCHEMES = ("light", "dark")
PATIENCE = 15_000  # milliseconds
END_OF_FADING = """
    document.body.offsetTop;
    document.getAnimations().filter(each => each instanceof CSSTransition).forEach(each => each.finish());
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    name: str
    address: str  # may name jobs: {failed}
    visitor: str = ""  # nobody
    kinds: tuple[str, ...] = ("full",)  # of labs
    status: int = 200


BOTH = ("full", "empty")

PRODUCT = (
    Page(name="home", address="/", visitor="alice", kinds=BOTH),
    Page(name="home-anonymous", address="/"),
    Page(name="login", address="/login/"),
    Page(name="login-to-go-on", address="/login/?next=/submit/"),
    Page(name="jobs", address="/jobs/", visitor="alice", kinds=BOTH),
    Page(name="jobs-found", address="/jobs/?status=failed&submitter=alice&q=boot", visitor="alice"),
    Page(name="jobs-none", address="/jobs/?device=rpi4-01&status=queued", visitor="alice"),
    Page(name="job-failed", address="/job/{failed}/", visitor="alice"),
    Page(name="job-failed-results", address="/job/{failed}/?tab=results", visitor="alice"),
    Page(name="job-failed-definition", address="/job/{failed}/?tab=definition", visitor="alice"),
    Page(name="job-passed", address="/job/{passed}/", visitor="alice"),
    Page(name="job-passed-results", address="/job/{passed}/?tab=results"),
    Page(name="job-broken", address="/job/{broken}/", visitor="alice"),
    Page(name="job-canceled", address="/job/{canceled}/", visitor="alice"),
    Page(name="job-tried-again", address="/job/{retried}/", visitor="alice"),
    Page(name="job-running", address="/job/{running}/", visitor="alice"),
    Page(name="job-asking", address="/job/{asking}/", visitor="alice"),
    Page(name="job-queued", address="/job/{queued}/", visitor="alice"),
    Page(name="job-queued-results", address="/job/{queued}/?tab=results", visitor="alice"),
    Page(name="job-in-group", address="/job/{together}/", visitor="alice"),
    Page(name="job-in-group-definition", address="/job/{together}/?tab=definition", visitor="alice"),
    Page(name="reservation-held", address="/job/{held}/", visitor="alice"),
    Page(name="reservation-of-another", address="/job/{held}/", visitor="bob"),
    Page(name="reserve", address="/reserve/?device=bbb-01", visitor="alice"),
    Page(name="reserve-any", address="/reserve/?type=beaglebone-black", visitor="alice"),
    Page(name="job-private", address="/job/{private}/", visitor="alice"),
    Page(name="submit", address="/submit/", visitor="alice"),
    Page(name="submit-example", address="/submit/?example=failing", visitor="alice"),
    Page(name="submit-again", address="/submit/?job={failed}", visitor="alice"),
    Page(name="devices", address="/devices/", visitor="alice", kinds=BOTH),
    Page(name="devices-anonymous", address="/devices/"),
    Page(name="device", address="/device/rpi4-02/", visitor="alice"),
    Page(name="device-out", address="/device/bbb-03/", visitor="admin"),
    Page(name="device-busy", address="/device/bbb-01/", visitor="admin"),
    Page(name="device-held", address="/device/rpi4-01/", visitor="bob"),
    Page(name="device-dictionary", address="/device/rpi4-01/dictionary/", visitor="admin"),
    Page(name="device-dictionary-of-type", address="/device/bbb-01/dictionary/", visitor="admin"),
    Page(name="devices-found", address="/devices/?health=ailing&type=imx8mp-evk", visitor="admin"),
    Page(name="device-types", address="/device-types/", visitor="alice", kinds=BOTH),
    Page(name="device-type", address="/device-type/beaglebone-black/", visitor="alice"),
    Page(name="workers", address="/workers/", visitor="admin", kinds=BOTH),
    Page(name="worker", address="/worker/rack-b/", visitor="admin"),
    Page(name="worker-offline", address="/worker/desk/"),
    Page(name="history", address="/history/", visitor="alice", kinds=BOTH),
    Page(name="events", address="/events/", visitor="alice", kinds=BOTH),
    Page(name="events-wrong", address="/events/?filter=mood%3Dgood", status=400),
    Page(name="event", address="/events/1/", visitor="alice"),
    Page(name="account", address="/account/", visitor="alice"),
    Page(name="password", address="/account/password/", visitor="alice"),
    Page(name="tokens", address="/tokens/", visitor="alice"),
    Page(name="token-revoke", address="/tokens/{token}/revoke/", visitor="alice"),
    Page(name="remote-tokens", address="/tokens/remote/", visitor="alice"),
    Page(name="remote-tokens-none", address="/tokens/remote/", visitor="bob"),
    Page(name="remote-token-forget", address="/tokens/remote/{remote_token}/forget/", visitor="alice"),
    Page(name="webhooks", address="/account/webhooks/", visitor="alice"),
    Page(name="webhooks-none", address="/account/webhooks/", visitor="bob"),
    Page(name="webhook", address="/account/webhooks/{webhook}/", visitor="alice"),
    Page(name="webhook-change", address="/account/webhooks/{webhook}/change/", visitor="alice"),
    Page(name="webhook-delete", address="/account/webhooks/{webhook}/delete/", visitor="alice"),
    Page(name="subscriptions", address="/account/subscriptions/", visitor="alice"),
    Page(name="subscriptions-none", address="/account/subscriptions/", visitor="bob"),
    Page(
        name="subscription-delete", address="/account/subscriptions/{subscription}/delete/", visitor="alice"
    ),
    Page(name="api-docs", address="/api/docs/"),
    Page(name="api-docs-v0.2", address="/api/docs/v0.2/"),
    Page(name="not-found", address="/job/999999/", status=404),
    Page(name="hidden", address="/job/{private}/", visitor="mallory", status=404),
)
ADMIN = tuple(
    Page(name=f"admin-{name}", address=address, visitor="admin")
    for name, address in {
        "index": "/admin/",
        "jobs": "/admin/jobs/job/",
        "job": "/admin/jobs/job/{failed}/change/",
        "job-in-group": "/admin/jobs/job/{together}/change/",
        "devices": "/admin/devices/device/",
        "device": "/admin/devices/device/bbb-03/change/",
        "device-add": "/admin/devices/device/add/",
        "device-types": "/admin/devices/devicetype/",
        "workers": "/admin/devices/worker/",
        "worker": "/admin/devices/worker/rack-a/change/",
        "worker-add": "/admin/devices/worker/add/",
        "users": "/admin/auth/user/",
        "user": "/admin/auth/user/2/change/",
        "groups": "/admin/auth/group/",
        "group": "/admin/auth/group/1/change/",
        "rights": "/admin/devices/devicetyperight/",
        "aliases": "/admin/devices/alias/",
        "tags": "/admin/devices/tag/",
        "health-history": "/admin/devices/healthchange/",
        "attempts": "/admin/jobs/attempt/",
        "audit": "/admin/admin/logentry/",
        "tokens": "/admin/accounts/token/",
        "token-add": "/admin/accounts/token/add/",
        "remote-tokens": "/admin/accounts/remotetoken/",
        "remote-token": "/admin/accounts/remotetoken/{remote_token}/change/",
        "remote-token-add": "/admin/accounts/remotetoken/add/",
        "events": "/admin/events/event/",
        "webhooks": "/admin/events/webhook/",
        "subscriptions": "/admin/events/subscription/",
    }.items()
)
PAGES = (*PRODUCT, *ADMIN)


class Windows:
    """One window for each visitor of each lab, which shows one page after the other."""

    def __init__(self, browser: Browser, labs: dict[str, Lab], **options: Any) -> None:
        self._browser = browser
        self._labs = labs
        self._options = options
        self._open: dict[tuple[str, str], Window] = {}

    def show(self, page: Page, kind: str) -> Window:
        lab = self._labs[kind]
        window = self._window(kind, page.visitor)
        response = window.goto(lab.url + page.address.format(**lab.places))
        assert response is not None
        assert response.status == page.status, f"{page.address} answered {response.status}"
        return window

    def _window(self, kind: str, visitor: str) -> Window:
        if (kind, visitor) not in self._open:
            self._open[kind, visitor] = self._new_window(self._labs[kind], visitor)
        return self._open[kind, visitor]

    def _new_window(self, lab: Lab, visitor: str) -> Window:
        context = self._browser.new_context(reduced_motion="reduce", **self._options)
        context.set_default_timeout(PATIENCE)
        if visitor:
            context.add_cookies([{"name": "sessionid", "value": lab.sessions[visitor], "url": lab.url}])
        return context.new_page()

    def close(self) -> None:
        for window in self._open.values():
            window.context.close()


def dress(window: Window, *, width: int, scheme: Any) -> None:
    """Make the page that it shows this wide, and light or dark."""
    window.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    window.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # Django's admin site fades from one colour to the other.
    window.evaluate(END_OF_FADING)
