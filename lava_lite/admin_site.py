"""The admin site's first page: what an administrator looks for, in the order in which it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import slugify


@dataclass(frozen=True, slots=True)
class Entry:
    model: str
    purpose: str
    name: str = ""  # where the model's own name is not what the lab calls it


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Devices": (
        Entry("devices.Device", "Boards: take out, bring back, retire, configure, say who may use one."),
        Entry("devices.DeviceType", "What jobs ask for. Its rights hold for all of its devices."),
        Entry("devices.Alias", "Other names of device types."),
        Entry("devices.Tag", "What a device has and a job can ask for."),
        Entry("devices.Worker", "The machines that devices hang on: take out, bring back, new token."),
    ),
    "People": (
        Entry("auth.User", "Who may log in; deactivate and activate."),
        Entry("auth.Group", "Teams. Rights are given to groups."),
        Entry("devices.DeviceTypeRight", "Which group sees, uses or looks after which types."),
        Entry("devices.DeviceRight", "The same for single devices."),
        Entry("accounts.Token", "Secrets for programs: scope, expiry, last use; revoke."),
        Entry(
            "accounts.RemoteToken",
            "What jobs show to other servers; keep, forget.",
            "Tokens for other servers",
        ),
        Entry("events.Webhook", "Where users have events sent; disable with a reason."),
        Entry("events.Subscription", "How far users have got with the events; end with a reason, delete."),
    ),
    "Jobs": (
        Entry("jobs.Job", "Cancel with a reason; delete finished ones with their logs."),
        Entry("jobs.Attempt", "Each run of a job: its device, worker and end."),
    ),
    "History": (
        Entry("admin.LogEntry", "Who did what and why, in this site, the pages and the APIs.", "Audit trail"),
        Entry("devices.HealthChange", "Every change of a device's health, with reason and name."),
        Entry("events.Event", "All that the lab has told the world."),
    ),
}


class LabSite(admin.AdminSite):
    site_header = site_title = "lava_lite"
    index_title = "Administration"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By what they are for; the page of one application stays as Django makes it."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        permitted = {
            f"{label}.{model['object_name']}": model
            for label, app in self._build_app_dict(request).items()
            for model in app["models"]
        }
        sections = (_section(title, entries, permitted) for title, entries in SECTIONS.items())
        return [section for section in sections if section["models"]]


class LabAdminConfig(AdminConfig):
    default_site = "lava_lite.admin_site.LabSite"


def _section(title: str, entries: tuple[Entry, ...], permitted: dict[str, Any]) -> dict[str, Any]:
    models = [
        {
            **permitted[entry.model],
            "name": entry.name or permitted[entry.model]["name"],
            "purpose": entry.purpose,
        }
        for entry in entries
        if entry.model in permitted
    ]
    label = slugify(title)
    return {
        "name": title,
        "app_label": label,
        "app_url": f"{reverse('admin:index')}#{label}",
        "has_module_perms": True,
        "models": models,
    }
