"""The addresses for programs: LAVA's REST API, version 0.2, and the lab's own, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.urls.converters import StringConverter

from api.core4 import views as core4
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
from api.rest.base import Nothing
from api.routes import both
from api.v1 import system as v1_system
from jobs.numbers import EITHER


class NumberConverter:
    """An id that fits in a column; any other address is not there."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class JobNumberConverter(StringConverter):
    """The number of a job: 12, or in a group 12.1."""

    regex = EITHER


register_converter(NumberConverter, "number")
register_converter(JobNumberConverter, "job_number")


suite_urls: list[URLPattern | URLResolver] = [
    *both("tests", results.Tests, "suite-tests"),
    *both("tests/<number:test_id>", results.OneTest, "test"),
    *both("csv", exports.CSVExport, "suite-csv"),
    *both("yaml", exports.YAMLExport, "suite-yaml"),
]

job_urls: list[URLPattern | URLResolver] = [
    *both("definition", jobs.JobDefinition, "job-definition"),
    *both("metadata", results.Metadata, "job-metadata"),
    *both("logs", logs.Log, "job-logs"),
    *both("suites", results.Suites, "suites"),
    *both("suites/<number:suite_id>", results.OneSuite, "suite"),
    path("suites/<number:suite_id>/", include(suite_urls)),
    *both("tests", results.Tests, "job-tests"),
    *both("tests/<number:test_id>", results.OneTest, "job-test"),
    *both("csv", exports.CSVExport, "job-csv"),
    *both("yaml", exports.YAMLExport, "job-yaml"),
    *both("junit", exports.JUnitExport, "job-junit"),
    *both("tap13", exports.TAP13Export, "job-tap13"),
    *both("cancel", jobs.Cancel, "cancel"),
    *both("resubmit", jobs.Resubmit, "resubmit"),
]

rest_urls: list[URLPattern | URLResolver] = [
    path("", system.Root.as_view(), name="root"),
    *both("token", token.IssueToken, "token"),
    *both("jobs", jobs.Jobs, "jobs"),
    *both("jobs/validate", jobs.Validate, "validate"),
    *both("jobs/validate_testdef", jobs.ValidateTestDefinition, "validate-testdef"),
    *both("jobs/batch_cancel", jobs.BatchCancel, "batch-cancel"),
    *both("jobs/<job_number:job_id>", jobs.OneJob, "job"),
    path("jobs/<job_number:job_id>/", include(job_urls)),
    *both("devices", devices.Devices, "devices"),
    *both("devices/validate", devices.ValidateDictionary, "device-validate"),
    *both("devices/<lab_name:name>", devices.OneDevice, "device"),
    *both("devices/<lab_name:name>/dictionary", devices.Dictionary, "device-dictionary"),
    *both("devices/<lab_name:name>/set_health", devices.DeviceHealthOf, "device-health"),
    *both("devicetypes", device_types.DeviceTypes, "devicetypes"),
    *both("devicetypes/<lab_name:name>", device_types.OneDeviceType, "devicetype"),
    *both("devicetypes/<lab_name:name>/health_check", device_types.HealthCheck, "devicetype-health-check"),
    *both("aliases", device_types.Aliases, "aliases"),
    *both("aliases/<lab_name:name>", device_types.OneAlias, "alias"),
    *both("workers", workers.Workers, "workers"),
    *both("workers/<lab_name:name>", workers.OneWorker, "worker"),
    *both("workers/<lab_name:name>/config", workers.WorkerConfig, "worker-config"),
    *both("workers/<lab_name:name>/env", workers.WorkerEnvironment, "worker-env"),
    *both("workers/<lab_name:name>/env-dut", workers.DeviceEnvironment, "worker-env-dut"),
    *both("workers/<lab_name:name>/set_health", workers.WorkerHealthOf, "worker-health"),
    *both("tags", tags.Tags, "tags"),
    *both("tags/<number:tag_id>", tags.OneTag, "tag"),
    *both("permissions/devicetypes", permissions.DeviceTypeRights, "devicetype-permissions"),
    *both(
        "permissions/devicetypes/<number:right_id>",
        permissions.OneDeviceTypeRight,
        "devicetype-permission",
    ),
    *both("permissions/devices", permissions.DeviceRights, "device-permissions"),
    *both("permissions/devices/<number:right_id>", permissions.OneDeviceRight, "device-permission"),
    *both("groups", people.Groups, "groups"),
    *both("groups/<number:group_id>", people.OneGroup, "group"),
    *both("users", people.Users, "users"),
    *both("users/<number:user_id>", people.OneUser, "user"),
    *both("system/version", system.Version, "version"),
    *both("system/whoami", system.WhoAmI, "whoami"),
    *both("system/master_config", system.MasterConfig, "master-config"),
]

app_name = "api"
urlpatterns = [
    path("v0.2", system.Root.as_view()),
    path("v0.2/", include(schema_urls("v0.2"))),
    path("v0.2/", include(rest_urls)),
    path("v1", v1_system.Root.as_view()),
    path("v1/", include(schema_urls("v1"))),
    path("v1/", include("api.asyncapi")),
    path("v1/", include("api.v1.urls")),
    *both("login", core4.Login, "login"),
    re_path("", Nothing.as_view()),
]
