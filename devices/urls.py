"""The addresses of the inventory's pages."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from devices import views
from devices.models import PLAIN


class NameConverter(StringConverter):
    """A name as the inventory's own; nothing else needs to be looked for."""

    regex = PLAIN


register_converter(NameConverter, "inventory_name")

urlpatterns = [
    path("devices/", views.index, name="devices"),
    path("devices/health/", views.change_health_of_many, name="devices-health"),
    path("device/<inventory_name:name>/", views.detail, name="device"),
    path("device/<inventory_name:name>/health/", views.change_health, name="device-health"),
    path("device-types/", views.device_types, name="device-types"),
    path("device-type/<inventory_name:name>/", views.device_type, name="device-type"),
    path("workers/", views.workers, name="workers"),
    path("worker/<inventory_name:name>/", views.worker, name="worker"),
    path("worker/<inventory_name:name>/health/", views.change_worker_health, name="worker-health"),
]
