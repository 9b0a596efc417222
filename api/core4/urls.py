"""The addresses of core4, below `/core4/api/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, re_path

from api.core4 import views
from api.routes import both

app_name = "core4"
urlpatterns: list[URLPattern | URLResolver] = [
    *both("login", views.Login, "login"),
    *both("v1/roles", views.Roles, "roles"),
    *both("v1/jobs/history", views.JobsHistory, "jobs-history"),
    re_path("", views.Nothing.as_view()),
]
