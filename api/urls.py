"""The addresses for programs: LAVA's REST API, version 0.2, and the lab's own, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from api.rest import devices, jobs, logs, results, system, token
from api.rest.base import Nothing, Resource
from api.v1 import system as v1_system


class NumberConverter:
    """An id that fits in a column; any other address is not there."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(NumberConverter, "number")


def _both(route: str, view: type[Resource], name: str) -> list[URLPattern]:
    """With the slash at the end and without: clients use either, and not all follow a redirect."""
    answer = view.as_view()
    return [path(f"{route}/", answer, name=name), path(route, answer)]


job_urls: list[URLPattern | URLResolver] = [
    *_both("logs", logs.Log, "job-logs"),
    *_both("suites", results.Suites, "suites"),
    *_both("suites/<number:suite_id>", results.OneSuite, "suite"),
    *_both("suites/<number:suite_id>/tests", results.Tests, "suite-tests"),
    *_both("suites/<number:suite_id>/tests/<number:test_id>", results.OneTest, "test"),
    *_both("tests", results.Tests, "job-tests"),
    *_both("cancel", jobs.Cancel, "cancel"),
    *_both("resubmit", jobs.Resubmit, "resubmit"),
]

rest_urls: list[URLPattern | URLResolver] = [
    path("", system.Root.as_view(), name="root"),
    *_both("token", token.IssueToken, "token"),
    *_both("jobs", jobs.Jobs, "jobs"),
    *_both("jobs/validate", jobs.Validate, "validate"),
    *_both("jobs/<number:job_id>", jobs.OneJob, "job"),
    path("jobs/<number:job_id>/", include(job_urls)),
    *_both("devices", devices.Devices, "devices"),
    *_both("devices/<lab_name:name>", devices.OneDevice, "device"),
    *_both("devicetypes", devices.DeviceTypes, "devicetypes"),
    *_both("devicetypes/<lab_name:name>", devices.OneDeviceType, "devicetype"),
    *_both("workers", devices.Workers, "workers"),
    *_both("workers/<lab_name:name>", devices.OneWorker, "worker"),
    *_both("system/version", system.Version, "version"),
    *_both("system/whoami", system.WhoAmI, "whoami"),
    *_both("system/master_config", system.MasterConfig, "master-config"),
]

app_name = "api"
urlpatterns = [
    path("v0.2", system.Root.as_view()),
    path("v0.2/", include(rest_urls)),
    path("v1", v1_system.Root.as_view()),
    path("v1/", include("api.v1.urls")),
    re_path("", Nothing.as_view()),
]
