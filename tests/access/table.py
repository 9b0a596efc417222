"""The access matrix: for each address, which of its methods who may use. An address that is not here fails the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests import build
from tests.access.world import EVERYBODY, KEEPERS, LOGGED_IN, NOBODY, STAFF, SUPERUSERS, Thing

Who = Callable[[Thing], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Who gets through, by method; any other method is not there."""

    of: str = ""  # the kind of thing that the address names
    get: Who | None = None
    post: Who | None = None
    put: Who | None = None
    patch: Who | None = None
    delete: Who | None = None
    by: str = "session token"  # what opens the door
    send: Mapping[str, object] | None = None  # as JSON: what must be right before the rights are asked
    refusals: frozenset[int] = frozenset({401, 403, 404})

    def methods(self) -> dict[str, Who]:
        rules = {
            "GET": self.get,
            "POST": self.post,
            "PUT": self.put,
            "PATCH": self.patch,
            "DELETE": self.delete,
        }
        return {method: rule for method, rule in rules.items() if rule is not None}


def _always(who: frozenset[str]) -> Who:
    return lambda thing: who


anybody = _always(EVERYBODY)
logged_in = _always(LOGGED_IN)
nobody = _always(NOBODY)  # workers have tokens of their own
staff = _always(STAFF)
superusers = _always(SUPERUSERS)


keepers = _always(KEEPERS)


def who_sees_it(thing: Thing) -> frozenset[str]:
    return thing.seen_by


def who_changes_it(thing: Thing) -> frozenset[str]:
    return thing.changed_by


def who_sees_it_and_logged_in(thing: Thing) -> frozenset[str]:
    return thing.seen_by & LOGGED_IN


PAGES = {
    "": Row(get=anybody, by="session"),
    "jobs": Row(get=anybody, by="session"),
    "history": Row(get=anybody, by="session"),
    "events": Row(get=anybody, by="session"),
    "events/<int:sequence>": Row(of="event", get=who_sees_it),
    "submit": Row(get=logged_in, post=logged_in, by="session"),
    "submit/check": Row(post=anybody, by="session"),
    "job/<int:pk>": Row(of="job", get=who_sees_it),
    "job/<int:pk>/log-tail": Row(of="job", get=who_sees_it),
    "job/<int:pk>/log-lines": Row(of="job", get=who_sees_it),
    "job/<int:pk>/log-search": Row(of="job", get=who_sees_it),
    "job/<int:pk>/log": Row(of="job", get=who_sees_it),
    "job/<int:pk>/definition": Row(of="job", get=who_sees_it),
    "job/<int:pk>/definition/whole": Row(of="job", get=who_sees_it),
    "job/<member:number>": Row(of="member", get=who_sees_it),
    "job/<member:number>/<path:rest>": Row(of="member", get=who_sees_it),
    "job/<int:pk>/cancel": Row(of="job", post=who_changes_it, by="session"),
    "job/<int:pk>/defer": Row(of="job", post=who_changes_it, by="session"),
    "job/<int:pk>/hurry": Row(of="job", post=who_changes_it, by="session"),
    "job/<int:pk>/answer": Row(of="job", post=who_sees_it_and_logged_in, by="session"),
    "job/<int:pk>/resubmit": Row(of="job", post=who_sees_it_and_logged_in, by="session"),
    "job/<int:pk>/extend": Row(of="job", post=who_changes_it, by="session"),
    "job/<int:pk>/release": Row(of="job", post=who_changes_it, by="session"),
    "reserve": Row(get=logged_in, post=logged_in, by="session"),
    "job/<int:pk>/pin": Row(of="job", post=who_changes_it, by="session"),
    "job/<int:pk>/unpin": Row(of="job", post=who_changes_it, by="session"),
    "scheduler/job/<int:pk>": Row(of="job", get=anybody),  # leads to the job's page, and knows nothing of it
    "scheduler/job/<int:pk>/log_file/plain": Row(of="job", get=who_sees_it),
    "scheduler/job/<int:pk>/definition/plain": Row(of="job", get=who_sees_it),
    "scheduler/job/<int:pk>/multinode_definition/plain": Row(of="job", get=who_sees_it),
    "scheduler/job/<member:number>": Row(of="member", get=who_sees_it),
    "scheduler/job/<member:number>/<path:rest>": Row(of="member", get=who_sees_it),
    "devices": Row(get=anybody, by="session"),
    "devices/health": Row(post=logged_in, by="session"),  # with nothing chosen, there is nothing to refuse
    "device/<lab_name:name>": Row(of="device", get=who_sees_it),
    "device/<lab_name:name>/health": Row(of="device", post=who_changes_it, by="session"),
    "device/<lab_name:name>/check": Row(of="device", post=who_changes_it, by="session"),
    "device/<lab_name:name>/dictionary": Row(
        of="device", get=who_changes_it, post=superusers, by="session", send={"dictionary": ""}
    ),
    "device/<lab_name:name>/free": Row(of="device", post=who_changes_it, by="session"),
    "device-types": Row(get=anybody),
    "device-type/<lab_name:name>": Row(of="type", get=who_sees_it),
    "workers": Row(get=anybody),
    "worker/<lab_name:name>": Row(of="worker", get=who_sees_it),
    "worker/<lab_name:name>/health": Row(of="worker", post=who_changes_it, by="session"),
    "account": Row(get=logged_in, by="session"),
    "account/password": Row(get=logged_in, post=logged_in, by="session"),
    "tokens": Row(get=logged_in, post=logged_in, by="session"),
    "tokens/<int:pk>/revoke": Row(of="token", get=who_changes_it, post=who_changes_it, by="session"),
    "tokens/remote": Row(get=logged_in, post=logged_in, by="session"),
    "tokens/remote/<int:pk>/forget": Row(
        of="remote token", get=who_changes_it, post=who_changes_it, by="session"
    ),
    "account/webhooks": Row(get=logged_in, post=logged_in, by="session"),
    "account/webhooks/<uuid:uuid>": Row(of="webhook", get=who_sees_it, by="session"),
    "account/webhooks/<uuid:uuid>/change": Row(
        of="webhook", get=who_changes_it, post=who_changes_it, by="session"
    ),
    "account/webhooks/<uuid:uuid>/delete": Row(
        of="webhook", get=who_changes_it, post=who_changes_it, by="session"
    ),
    "account/webhooks/<uuid:uuid>/deliveries/<int:pk>/resend": Row(
        of="webhook", post=who_changes_it, by="session"
    ),
    **{
        f"account/webhooks/<uuid:uuid>/{deed}": Row(of="webhook", post=who_changes_it, by="session")
        for deed in ("pause", "resume", "test", "secret", "new-secret")
    },
    "account/subscriptions": Row(get=logged_in, post=logged_in, by="session"),
    "account/subscriptions/<str:name>/renew": Row(of="subscription", post=who_changes_it, by="session"),
    "account/subscriptions/<str:name>/delete": Row(
        of="subscription", get=who_changes_it, post=who_changes_it, by="session"
    ),
    "login": Row(get=anybody, post=anybody, put=anybody, by="session"),
    "logout": Row(post=anybody, by="session"),
}

REST_V02 = {
    "api/v0.2": Row(get=anybody),
    "api/v0.2/token": Row(post=anybody),
    "api/v0.2/jobs": Row(get=anybody, post=logged_in),
    "api/v0.2/jobs/validate": Row(post=anybody),
    "api/v0.2/jobs/validate_testdef": Row(post=anybody),
    "api/v0.2/jobs/batch_cancel": Row(
        post=logged_in
    ),  # those that one may not cancel are named in the answer
    "api/v0.2/jobs/<job_number:job_id>": Row(of="job", get=who_sees_it, patch=superusers, delete=superusers),
    "api/v0.2/jobs/<job_number:job_id>/definition": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/metadata": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/logs": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/suites": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/suites/<number:suite_id>": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/suites/<number:suite_id>/tests": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/suites/<number:suite_id>/tests/<number:test_id>": Row(
        of="job", get=who_sees_it
    ),
    "api/v0.2/jobs/<job_number:job_id>/suites/<number:suite_id>/csv": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/suites/<number:suite_id>/yaml": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/tests": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/tests/<number:test_id>": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/csv": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/yaml": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/junit": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/tap13": Row(of="job", get=who_sees_it),
    "api/v0.2/jobs/<job_number:job_id>/cancel": Row(
        of="job", get=who_changes_it, post=who_changes_it, by="token"
    ),
    "api/v0.2/jobs/<job_number:job_id>/resubmit": Row(of="job", post=who_sees_it_and_logged_in),
    "api/v0.2/devices": Row(get=anybody, post=superusers),
    "api/v0.2/devices/validate": Row(post=anybody),
    "api/v0.2/devices/<lab_name:name>": Row(
        of="device", get=who_sees_it, put=who_changes_it, patch=who_changes_it, delete=superusers
    ),
    "api/v0.2/devices/<lab_name:name>/dictionary": Row(of="device", get=who_changes_it, post=superusers),
    "api/v0.2/devices/<lab_name:name>/set_health": Row(of="device", post=who_changes_it),
    "api/v0.2/devicetypes": Row(get=anybody, post=superusers),
    "api/v0.2/devicetypes/<lab_name:name>": Row(
        of="type", get=who_sees_it, put=who_changes_it, patch=who_changes_it, delete=superusers
    ),
    "api/v0.2/devicetypes/<lab_name:name>/health_check": Row(
        of="type", get=who_changes_it, post=who_changes_it
    ),
    "api/v0.2/aliases": Row(get=logged_in, post=superusers),
    "api/v0.2/aliases/<lab_name:name>": Row(
        of="alias", get=who_sees_it_and_logged_in, put=superusers, patch=superusers, delete=superusers
    ),
    "api/v0.2/workers": Row(get=anybody, post=superusers),
    "api/v0.2/workers/<lab_name:name>": Row(
        of="worker", get=who_sees_it, put=superusers, patch=superusers, delete=superusers
    ),
    "api/v0.2/workers/<lab_name:name>/config": Row(of="worker", get=superusers, post=superusers),
    "api/v0.2/workers/<lab_name:name>/env": Row(of="worker", get=superusers, post=superusers),
    "api/v0.2/workers/<lab_name:name>/env-dut": Row(of="worker", get=superusers, post=superusers),
    "api/v0.2/workers/<lab_name:name>/set_health": Row(of="worker", post=superusers),
    "api/v0.2/tags": Row(get=logged_in, post=superusers),
    "api/v0.2/tags/<number:tag_id>": Row(
        of="tag", get=logged_in, put=superusers, patch=superusers, delete=superusers
    ),
    "api/v0.2/permissions/devicetypes": Row(get=superusers, post=superusers),
    "api/v0.2/permissions/devicetypes/<number:right_id>": Row(
        of="type right", get=superusers, put=superusers, patch=superusers, delete=superusers
    ),
    "api/v0.2/permissions/devices": Row(get=superusers, post=superusers),
    "api/v0.2/permissions/devices/<number:right_id>": Row(
        of="device right", get=superusers, put=superusers, patch=superusers, delete=superusers
    ),
    "api/v0.2/groups": Row(get=superusers),
    "api/v0.2/groups/<number:group_id>": Row(of="person", get=superusers),
    "api/v0.2/users": Row(get=superusers),
    "api/v0.2/users/<number:user_id>": Row(of="person", get=superusers),
    "api/v0.2/system/version": Row(get=anybody),
    "api/v0.2/system/whoami": Row(get=anybody),
    "api/v0.2/system/master_config": Row(get=anybody),
}

TAKE_OUT = {"health": "Maintenance"}

REST_V1 = {
    "api/docs": Row(get=anybody),
    "api/docs/v0.2": Row(get=anybody),
    "api/v0.2/openapi.json": Row(get=anybody),
    "api/v0.2/openapi.yaml": Row(get=anybody),
    "api/v1/openapi.json": Row(get=anybody),
    "api/v1/openapi.yaml": Row(get=anybody),
    "api/v1/asyncapi.json": Row(get=anybody),
    "api/v1/asyncapi.yaml": Row(get=anybody),
    "api/v1": Row(get=anybody),
    "api/v1/system": Row(get=anybody),
    "api/v1/whoami": Row(get=anybody),
    "api/v1/events": Row(get=anybody),
    "api/v1/events/<number:sequence>": Row(of="event", get=who_sees_it),
    "api/v1/jobs": Row(get=anybody, post=logged_in),
    "api/v1/jobs/history": Row(get=anybody),  # numbers alone, of all jobs
    "api/v1/queue/history": Row(get=anybody),
    "api/v1/jobs/validate": Row(post=anybody),
    "api/v1/jobs/<job:job>": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/definition": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/results": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/steps": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/waits": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/answer": Row(of="job", post=who_changes_it, send={"answer": "done"}),
    "api/v1/jobs/<job:job>/events": Row(of="job", post=who_changes_it, send={"name": "flashed"}),
    "api/v1/jobs/<job:job>/cancel": Row(of="job", post=who_changes_it),
    "api/v1/jobs/<job:job>/pin": Row(of="job", post=who_changes_it),
    "api/v1/jobs/<job:job>/unpin": Row(of="job", post=who_changes_it),
    "api/v1/jobs/<job:job>/attempts": Row(of="job", get=who_sees_it),
    "api/v1/jobs/<job:job>/defer": Row(of="job", post=who_changes_it, send={"seconds": 60}),
    "api/v1/jobs/<job:job>/hurry": Row(of="job", post=who_changes_it),
    "api/v1/jobs/<job:job>/resubmit": Row(of="job", post=who_sees_it_and_logged_in),
    "api/v1/jobs/<job:job>/extend": Row(of="job", post=who_changes_it, send={"duration": 60}),
    "api/v1/jobs/<job:job>/release": Row(of="job", post=who_changes_it),
    "api/v1/reservations": Row(post=logged_in),
    "api/v1/devices": Row(get=anybody),
    "api/v1/devices/health": Row(post=keepers, send=TAKE_OUT | {"devices": ["hushboard"]}),
    "api/v1/devices/<lab_name:name>": Row(of="device", get=who_sees_it),
    "api/v1/devices/<lab_name:name>/health": Row(of="device", post=who_changes_it, send=TAKE_OUT),
    "api/v1/devices/<lab_name:name>/check": Row(of="device", post=who_changes_it),
    "api/v1/devices/<lab_name:name>/free": Row(of="device", post=who_changes_it, send={"reason": "looked"}),
    "api/v1/devices/<lab_name:name>/history": Row(of="device", get=who_sees_it),
    "api/v1/devices/<lab_name:name>/availability": Row(of="device", get=who_sees_it),
    "api/v1/device-types": Row(get=anybody),
    "api/v1/device-types/<lab_name:name>": Row(of="type", get=who_sees_it),
    "api/v1/device-types/<lab_name:name>/retry": Row(of="type", post=who_changes_it, send={"attempts": 2}),
    "api/v1/device-types/<lab_name:name>/availability": Row(of="type", get=who_sees_it),
    "api/v1/device-types/<lab_name:name>/durations": Row(of="type", get=who_sees_it),
    "api/v1/device-types/<lab_name:name>/health-check": Row(
        of="type", get=who_changes_it, patch=who_changes_it
    ),
    "api/v1/workers": Row(get=anybody),
    "api/v1/workers/<lab_name:name>": Row(of="worker", get=who_sees_it),
    "api/v1/workers/<lab_name:name>/config": Row(of="worker", get=superusers, put=superusers),
    "api/v1/workers/<lab_name:name>/env": Row(of="worker", get=superusers, put=superusers),
    "api/v1/workers/<lab_name:name>/env-dut": Row(of="worker", get=superusers, put=superusers),
    "api/v1/schemas/<str:event_type>": Row(of="schema", get=anybody),
    "api/v1/remote-tokens": Row(get=logged_in, post=logged_in),
    "api/v1/remote-tokens/<number:token_id>": Row(of="remote token", delete=who_changes_it),
    "api/v1/tokens": Row(get=logged_in, post=logged_in),
    "api/v1/tokens/login": Row(post=anybody),
    "api/v1/tokens/<number:token_id>": Row(of="token", delete=who_changes_it),
    "api/v1/webhooks": Row(get=logged_in, post=logged_in),
    "api/v1/webhooks/<uuid:uuid>": Row(
        of="webhook", get=who_sees_it, patch=who_changes_it, delete=who_changes_it
    ),
    "api/v1/webhooks/<uuid:uuid>/secret": Row(of="webhook", get=who_changes_it, post=who_changes_it),
    "api/v1/webhooks/<uuid:uuid>/test": Row(of="webhook", post=who_changes_it),
    "api/v1/webhooks/<uuid:uuid>/deliveries": Row(of="webhook", get=who_sees_it),
    "api/v1/webhooks/<uuid:uuid>/deliveries/<number:delivery_id>/resend": Row(
        of="webhook", post=who_changes_it
    ),
    "api/v1/subscriptions": Row(get=logged_in, post=logged_in),
    "api/v1/subscriptions/<subscription:name>": Row(
        of="subscription", get=who_sees_it, patch=who_changes_it, delete=who_changes_it
    ),
    "api/v1/subscriptions/<subscription:name>/fetch": Row(of="subscription", post=who_changes_it),
    "api/v1/subscriptions/<subscription:name>/ack": Row(
        of="subscription", post=who_changes_it, send={"sequence": 0, "generation": 0}
    ),
    "api/v1/subscriptions/<subscription:name>/renew": Row(
        of="subscription", post=who_changes_it, send={"since": "now"}
    ),
    "api/v1/users": Row(get=superusers, post=superusers),
    "api/v1/users/<user_name:username>": Row(of="user", get=superusers, patch=superusers),
}

CORE4 = {
    "api/login": Row(get=anybody, post=anybody),
    "core4/api": Row(),  # what is not there
    "core4/api/login": Row(get=anybody, post=anybody),
    "core4/api/v1/jobs/history": Row(get=anybody),
    "core4/api/v1/roles": Row(
        of="person", post=superusers, by="token", send={"name": "new", "password": "very secret"}
    ),
}

WORKER_REFUSALS = frozenset({400, 401, 403, 404})  # LAVA answers a missing token with 400

OTHERS = {
    "api": Row(),  # what is not there
    "RPC2": Row(post=anybody, by="session"),  # its methods have a table of their own
    "scheduler/internal/v1/workers": Row(post=nobody, refusals=WORKER_REFUSALS),
    "scheduler/internal/v1/workers/<str:name>": Row(of="worker", get=nobody, refusals=WORKER_REFUSALS),
    "scheduler/internal/v1/jobs/<str:job_id>": Row(
        of="job", get=nobody, post=nobody, refusals=WORKER_REFUSALS
    ),
    "scheduler/internal/v1/jobs/<str:job_id>/logs": Row(of="job", post=nobody, refusals=WORKER_REFUSALS),
    "scheduler/internal/v1/jobs/<str:job_id>/answers": Row(of="job", get=nobody, refusals=WORKER_REFUSALS),
}

TABLE = PAGES | REST_V02 | REST_V1 | CORE4 | OTHERS

# Each with its list, and the pages to add, change and delete: for superusers here, as sam has no permission.
ADMIN_PAGES = {
    "accounts/remotetoken",
    "accounts/token",
    "admin/logentry",
    "auth/group",
    "auth/user",
    "devices/alias",
    "devices/device",
    "devices/deviceright",
    "devices/devicetype",
    "devices/devicetyperight",
    "devices/healthchange",
    "devices/tag",
    "devices/worker",
    "events/event",
    "events/subscription",
    "events/webhook",
    "jobs/attempt",
    "jobs/job",
}


def _nothing(thing: Thing) -> list[object]:
    return []


def _its_key(thing: Thing) -> list[object]:
    return [thing.parameters.get("pk", thing.parameters.get("name"))]


def _a_job(thing: Thing) -> list[object]:
    return [build.definition()]


def _a_method(thing: Thing) -> list[object]:
    return ["system.version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who gets through with these arguments."""

    who: Who
    arguments: Callable[[Thing], list[object]] = _nothing
    of: str = "job"  # the kind of thing


def _its_key_and_a_text(thing: Thing) -> list[object]:
    return [*_its_key(thing), ""]


def _a_remote_token(thing: Thing) -> list[object]:
    return ["store"]


def _another_remote_token(thing: Thing) -> list[object]:
    return ["mirror", "secret"]


alice_alone = _always(frozenset({"alice"}))  # whose remote token it is

XMLRPC = {
    "scheduler.cancel_job": Call(who=who_changes_it, arguments=_its_key),
    "scheduler.device_types.get_health_check": Call(of="type", who=who_changes_it, arguments=_its_key),
    "scheduler.device_types.set_health_check": Call(
        of="type", who=who_changes_it, arguments=_its_key_and_a_text
    ),
    "scheduler.devices.get_dictionary": Call(of="device", who=who_changes_it, arguments=_its_key),
    "scheduler.devices.set_dictionary": Call(of="device", who=superusers, arguments=_its_key_and_a_text),
    "scheduler.devices.update": Call(of="device", who=who_changes_it, arguments=_its_key),
    "scheduler.jobs.cancel": Call(who=who_changes_it, arguments=_its_key),
    "scheduler.jobs.resubmit": Call(who=who_sees_it_and_logged_in, arguments=_its_key),
    "scheduler.jobs.submit": Call(who=logged_in, arguments=_a_job),
    "scheduler.jobs.validate": Call(who=anybody, arguments=_a_job),
    "scheduler.remote_artifact_tokens.add": Call(who=logged_in, arguments=_another_remote_token),
    "scheduler.remote_artifact_tokens.delete": Call(who=alice_alone, arguments=_a_remote_token),
    "scheduler.remote_artifact_tokens.list": Call(who=logged_in),
    "scheduler.remote_artifact_tokens.show": Call(who=alice_alone, arguments=_a_remote_token),
    "scheduler.resubmit_job": Call(who=who_sees_it_and_logged_in, arguments=_its_key),
    "scheduler.submit_job": Call(who=logged_in, arguments=_a_job),
    "scheduler.validate_yaml": Call(who=anybody, arguments=_a_job),
    **{
        f"scheduler.workers.get_{file}": Call(of="worker", who=superusers, arguments=_its_key)
        for file in ("config", "env", "env_dut")
    },
    **{
        f"scheduler.workers.set_{file}": Call(of="worker", who=superusers, arguments=_its_key_and_a_text)
        for file in ("config", "env", "env_dut")
    },
    "scheduler.workers.update": Call(of="worker", who=who_changes_it, arguments=_its_key),
    "system.api_version": Call(who=anybody),
    "system.listMethods": Call(who=anybody),
    "system.methodHelp": Call(who=anybody, arguments=_a_method),
    "system.methodSignature": Call(who=anybody, arguments=_a_method),
    "system.version": Call(who=anybody),
    "system.whoami": Call(who=anybody),
}

# ASGI applications beside Django, by the pattern of their path.
SOCKETS = {
    "ws/": anybody,  # each hears what they may see: tests/events/matrix
    "(?:core4/)?api/v1/event/?": anybody,
    "ws/job/(?P<job>[0-9]{1,30})/log/?": who_sees_it,  # as tests/jobs/log_live shows
}
STREAMS = {
    "api/v1/events/?": anybody,  # of what one may see, as tests/events/matrix shows
    "job/(?P<job>[0-9]{1,30})/log/?": who_sees_it,  # with ?follow=1, as tests/jobs/log_live shows
    "api/v1/subscriptions/(?P<name>[^/]+)/fetch/?": anybody,  # Django decides, as the table above says
    "healthz/?": anybody,
    "metrics/?": staff,  # and this machine, as tests/lava_lite/test_metrics.py shows
    "readyz/?": anybody,  # only colours, as tests/lava_lite/test_probes.py shows
}

EVENT_SUBJECTS = {
    "job": who_sees_it,
    "step": who_sees_it,
    "device": who_sees_it,
    "worker": anybody,
    "custom": who_sees_it,
    "queue": anybody,
}
