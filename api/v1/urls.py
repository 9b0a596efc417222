"""The addresses of version 1."""

from __future__ import annotations

from uuid import UUID

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.urls.converters import StringConverter

from api.v1 import device_types, devices, jobs, system, tokens, users, workers
from api.v1.base import Nothing, Resource
from api.v1.jobs import JobKey


class JobConverter:
    """A job's number, or its uuid."""

    regex = "[0-9]{1,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> JobKey:
        return int(value) if value.isdecimal() else UUID(value)

    def to_url(self, value: JobKey) -> str:
        return str(value)


class UserConverter(StringConverter):
    """As users are named."""

    regex = r"[\w.@+-]+"


register_converter(JobConverter, "job")
register_converter(UserConverter, "user_name")


def _both(route: str, view: type[Resource], name: str) -> list[URLPattern]:
    """With the slash at the end and without: the former is the one that answers show."""
    answer = view.as_view()
    return [path(f"{route}/", answer, name=f"v1-{name}"), path(route, answer)]


job_urls: list[URLPattern | URLResolver] = [
    *_both("definition", jobs.Definition, "definition"),
    *_both("results", jobs.Results, "results"),
    *_both("cancel", jobs.Cancel, "cancel"),
    *_both("resubmit", jobs.Resubmit, "resubmit"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *_both("jobs", jobs.Jobs, "jobs"),
    *_both("jobs/validate", jobs.Validate, "validate"),
    *_both("jobs/<job:job>", jobs.OneJob, "job"),
    path("jobs/<job:job>/", include(job_urls)),
    *_both("devices", devices.Devices, "devices"),
    *_both("devices/health", devices.HealthOfMany, "health-of-many"),
    *_both("devices/<lab_name:name>", devices.OneDevice, "device"),
    *_both("devices/<lab_name:name>/health", devices.OneHealth, "health"),
    *_both("devices/<lab_name:name>/history", devices.History, "history"),
    *_both("device-types", device_types.DeviceTypes, "device-types"),
    *_both("device-types/<lab_name:name>", device_types.OneDeviceType, "device-type"),
    *_both("device-types/<lab_name:name>/availability", device_types.Availability, "availability"),
    *_both("workers", workers.Workers, "workers"),
    *_both("workers/<lab_name:name>", workers.OneWorker, "worker"),
    *_both("tokens", tokens.Tokens, "tokens"),
    *_both("tokens/login", tokens.Login, "login"),
    *_both("tokens/<number:token_id>", tokens.OneToken, "token"),
    *_both("users", users.Users, "users"),
    *_both("users/<user_name:username>", users.OneUser, "user"),
    path("", system.Root.as_view(), name="v1-root"),
    *_both("system", system.System, "system"),
    *_both("whoami", system.WhoAmI, "whoami"),
    re_path("", Nothing.as_view()),
]
