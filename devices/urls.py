"""The addresses of the inventory's pages."""

from django.urls import path

from devices import views

urlpatterns = [
    path("devices/", views.index, name="devices"),
    path("device/<str:name>/", views.detail, name="device"),
    path("device/<str:name>/health/", views.change_health, name="device-health"),
]
