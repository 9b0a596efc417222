"""The addresses for programs: LAVA's REST API, version 0.2, and the lab's own, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from api.openapi.views import schema_urls
from api.rest import (
    device_types,
    devices,
    exports,
    jobs,
    logs,
    people,
    permissions,
    results,
    system,
    tags,
    token,
    workers,
)
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


suite_urls: list[URLPattern | URLResolver] = [
    *_both("tests", results.Tests, "suite-tests"),
    *_both("tests/<number:test_id>", results.OneTest, "test"),
    *_both("csv", exports.CSVExport, "suite-csv"),
    *_both("yaml", exports.YAMLExport, "suite-yaml"),
]

job_urls: list[URLPattern | URLResolver] = [
    *_both("definition", jobs.JobDefinition, "job-definition"),
    *_both("metadata", results.Metadata, "job-metadata"),
    *_both("logs", logs.Log, "job-logs"),
    *_both("suites", results.Suites, "suites"),
    *_both("suites/<number:suite_id>", results.OneSuite, "suite"),
    path("suites/<number:suite_id>/", include(suite_urls)),
    *_both("tests", results.Tests, "job-tests"),
    *_both("tests/<number:test_id>", results.OneTest, "job-test"),
    *_both("csv", exports.CSVExport, "job-csv"),
    *_both("yaml", exports.YAMLExport, "job-yaml"),
    *_both("junit", exports.JUnitExport, "job-junit"),
    *_both("tap13", exports.TAP13Export, "job-tap13"),
    *_both("cancel", jobs.Cancel, "cancel"),
    *_both("resubmit", jobs.Resubmit, "resubmit"),
]

rest_urls: list[URLPattern | URLResolver] = [
    path("", system.Root.as_view(), name="root"),
    *_both("token", token.IssueToken, "token"),
    *_both("jobs", jobs.Jobs, "jobs"),
    *_both("jobs/validate", jobs.Validate, "validate"),
    *_both("jobs/validate_testdef", jobs.ValidateTestDefinition, "validate-testdef"),
    *_both("jobs/batch_cancel", jobs.BatchCancel, "batch-cancel"),
    *_both("jobs/<number:job_id>", jobs.OneJob, "job"),
    path("jobs/<number:job_id>/", include(job_urls)),
    *_both("devices", devices.Devices, "devices"),
    *_both("devices/validate", devices.ValidateDictionary, "device-validate"),
    *_both("devices/<lab_name:name>", devices.OneDevice, "device"),
    *_both("devices/<lab_name:name>/dictionary", devices.Dictionary, "device-dictionary"),
    *_both("devices/<lab_name:name>/set_health", devices.DeviceHealthOf, "device-health"),
    *_both("devicetypes", device_types.DeviceTypes, "devicetypes"),
    *_both("devicetypes/<lab_name:name>", device_types.OneDeviceType, "devicetype"),
    *_both("aliases", device_types.Aliases, "aliases"),
    *_both("aliases/<lab_name:name>", device_types.OneAlias, "alias"),
    *_both("workers", workers.Workers, "workers"),
    *_both("workers/<lab_name:name>", workers.OneWorker, "worker"),
    *_both("workers/<lab_name:name>/set_health", workers.WorkerHealthOf, "worker-health"),
    *_both("tags", tags.Tags, "tags"),
    *_both("tags/<number:tag_id>", tags.OneTag, "tag"),
    *_both("permissions/devicetypes", permissions.DeviceTypeRights, "devicetype-permissions"),
    *_both(
        "permissions/devicetypes/<number:right_id>",
        permissions.OneDeviceTypeRight,
        "devicetype-permission",
    ),
    *_both("permissions/devices", permissions.DeviceRights, "device-permissions"),
    *_both("permissions/devices/<number:right_id>", permissions.OneDeviceRight, "device-permission"),
    *_both("groups", people.Groups, "groups"),
    *_both("groups/<number:group_id>", people.OneGroup, "group"),
    *_both("users", people.Users, "users"),
    *_both("users/<number:user_id>", people.OneUser, "user"),
    *_both("system/version", system.Version, "version"),
    *_both("system/whoami", system.WhoAmI, "whoami"),
    *_both("system/master_config", system.MasterConfig, "master-config"),
]

app_name = "api"
urlpatterns = [
    path("v0.2", system.Root.as_view()),
    path("v0.2/", include(schema_urls("v0.2"))),
    path("v0.2/", include(rest_urls)),
    path("v1", v1_system.Root.as_view()),
    path("v1/", include(schema_urls("v1"))),
    path("v1/", include("api.v1.urls")),
    re_path("", Nothing.as_view()),
]
