"""The addresses of the inventory's pages."""

from django.urls import path

from devices import dictionary_views, views

urlpatterns = [
    path("devices/", views.index, name="devices"),
    path("devices/health/", views.change_health_of_many, name="devices-health"),
    path("device/<lab_name:name>/", views.detail, name="device"),
    path("device/<lab_name:name>/health/", views.change_health, name="device-health"),
    path("device/<lab_name:name>/free/", views.free, name="device-free"),
    path("device/<lab_name:name>/check/", views.check, name="device-check"),
    path("device/<lab_name:name>/dictionary/", dictionary_views.dictionary, name="device-dictionary"),
    path("device-types/", views.device_types, name="device-types"),
    path("device-type/<lab_name:name>/", views.device_type, name="device-type"),
    path("workers/", views.workers, name="workers"),
    path("worker/<lab_name:name>/", views.worker, name="worker"),
    path("worker/<lab_name:name>/health/", views.change_worker_health, name="worker-health"),
]
