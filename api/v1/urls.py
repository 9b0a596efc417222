"""The addresses of version 1."""

from __future__ import annotations

from uuid import UUID

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.urls.converters import StringConverter

from api.routes import both
from api.v1 import (
    device_types,
    devices,
    events,
    history,
    jobs,
    remote_tokens,
    reservations,
    sayings,
    schemas,
    subscriptions,
    system,
    tokens,
    users,
    webhooks,
    workers,
)
from api.v1.base import Nothing
from api.v1.jobs import JobKey
from events.subscriptions.models import NAME as SUBSCRIPTION
from jobs.numbers import KEY


class JobConverter:
    """A job's number, in a group 12.1, or its uuid."""

    regex = KEY

    def to_python(self, value: str) -> JobKey:
        return UUID(value) if "-" in value else value

    def to_url(self, value: JobKey) -> str:
        return str(value)


class UserConverter(StringConverter):
    """As users are named."""

    regex = r"[\w.@+-]+"


class SubscriptionConverter(StringConverter):
    """As their users name them."""

    regex = SUBSCRIPTION


register_converter(JobConverter, "job")
register_converter(SubscriptionConverter, "subscription")
register_converter(UserConverter, "user_name")


job_urls: list[URLPattern | URLResolver] = [
    *both("definition", jobs.Definition, "v1-definition"),
    *both("results", jobs.Results, "v1-results"),
    *both("attempts", jobs.Attempts, "v1-attempts"),
    *both("steps", jobs.Steps, "v1-steps"),
    *both("waits", jobs.Waits, "v1-waits"),
    *both("answer", jobs.Answer, "v1-answer"),
    *both("events", sayings.Say, "v1-say"),
    *both("cancel", jobs.Cancel, "v1-cancel"),
    *both("defer", jobs.Defer, "v1-defer"),
    *both("hurry", jobs.Hurry, "v1-hurry"),
    *both("resubmit", jobs.Resubmit, "v1-resubmit"),
    *both("extend", reservations.Extend, "v1-extend"),
    *both("release", reservations.Release, "v1-release"),
    *both("pin", jobs.Pin, "v1-pin"),
    *both("unpin", jobs.Unpin, "v1-unpin"),
]

webhook_urls: list[URLPattern | URLResolver] = [
    *both("secret", webhooks.Secret, "v1-webhook-secret"),
    *both("test", webhooks.Ping, "v1-webhook-test"),
    *both("deliveries", webhooks.Deliveries, "v1-deliveries"),
    *both("deliveries/<number:delivery_id>/resend", webhooks.Resend, "v1-resend"),
]

subscription_urls: list[URLPattern | URLResolver] = [
    *both("fetch", subscriptions.Fetch, "v1-fetch"),
    *both("ack", subscriptions.Ack, "v1-ack"),
    *both("renew", subscriptions.Renew, "v1-renew"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *both("jobs", jobs.Jobs, "v1-jobs"),
    *both("jobs/history", history.JobsHistory, "v1-jobs-history"),
    *both("queue/history", history.QueueHistory, "v1-queue-history"),
    *both("jobs/validate", jobs.Validate, "v1-validate"),
    *both("jobs/<job:job>", jobs.OneJob, "v1-job"),
    path("jobs/<job:job>/", include(job_urls)),
    *both("reservations", reservations.Reservations, "v1-reservations"),
    *both("devices", devices.Devices, "v1-devices"),
    *both("devices/health", devices.HealthOfMany, "v1-health-of-many"),
    *both("devices/<lab_name:name>", devices.OneDevice, "v1-device"),
    *both("devices/<lab_name:name>/health", devices.OneHealth, "v1-health"),
    *both("devices/<lab_name:name>/free", devices.Free, "v1-free"),
    *both("devices/<lab_name:name>/availability", history.DeviceAvailability, "v1-device-availability"),
    *both("devices/<lab_name:name>/check", devices.Check, "v1-check"),
    *both("devices/<lab_name:name>/history", devices.History, "v1-history"),
    *both("device-types", device_types.DeviceTypes, "v1-device-types"),
    *both("device-types/<lab_name:name>", device_types.OneDeviceType, "v1-device-type"),
    *both("device-types/<lab_name:name>/retry", device_types.Retry, "v1-retry"),
    *both("device-types/<lab_name:name>/availability", device_types.Availability, "v1-availability"),
    *both("device-types/<lab_name:name>/durations", history.JobDurations, "v1-durations"),
    *both("device-types/<lab_name:name>/health-check", device_types.HealthCheck, "v1-health-check"),
    *both("workers", workers.Workers, "v1-workers"),
    *both("workers/<lab_name:name>", workers.OneWorker, "v1-worker"),
    *both("workers/<lab_name:name>/config", workers.WorkerConfig, "v1-worker-config"),
    *both("workers/<lab_name:name>/env", workers.WorkerEnvironment, "v1-worker-env"),
    *both("workers/<lab_name:name>/env-dut", workers.DeviceEnvironment, "v1-worker-env-dut"),
    *both("events", events.Events, "v1-events"),
    *both("events/<number:sequence>", events.OneEvent, "v1-event"),
    *both("schemas/<str:event_type>", schemas.OneSchema, "v1-event-schema"),
    *both("remote-tokens", remote_tokens.RemoteTokens, "v1-remote-tokens"),
    *both("remote-tokens/<number:token_id>", remote_tokens.OneRemoteToken, "v1-remote-token"),
    *both("tokens", tokens.Tokens, "v1-tokens"),
    *both("tokens/login", tokens.Login, "v1-login"),
    *both("tokens/<number:token_id>", tokens.OneToken, "v1-token"),
    *both("webhooks", webhooks.Webhooks, "v1-webhooks"),
    *both("webhooks/<uuid:uuid>", webhooks.OneWebhook, "v1-webhook"),
    path("webhooks/<uuid:uuid>/", include(webhook_urls)),
    *both("subscriptions", subscriptions.Subscriptions, "v1-subscriptions"),
    *both("subscriptions/<subscription:name>", subscriptions.OneSubscription, "v1-subscription"),
    path("subscriptions/<subscription:name>/", include(subscription_urls)),
    *both("users", users.Users, "v1-users"),
    *both("users/<user_name:username>", users.OneUser, "v1-user"),
    path("", system.Root.as_view(), name="v1-root"),
    *both("system", system.System, "v1-system"),
    *both("whoami", system.WhoAmI, "v1-whoami"),
    re_path("", Nothing.as_view()),
]
