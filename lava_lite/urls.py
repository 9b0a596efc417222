"""Every address of the lab."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from accounts.forms import LoginForm
from api.openapi.views import reference
from api.xmlrpc.server import rpc

urlpatterns = [
    path("", include("jobs.urls")),
    path("", include("devices.urls")),
    path("", include("events.urls")),
    path("", include("accounts.urls")),
    path(
        "login/", LoginView.as_view(template_name="login.html", authentication_form=LoginForm), name="login"
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/docs/", reference, {"version": "v1"}, name="api-docs"),
    path("api/docs/v0.2/", reference, {"version": "v0.2"}, name="api-docs-v02"),
    path("api/", include("api.urls")),
    path("core4/api/", include("api.core4.urls")),
    path("RPC2", rpc, name="xmlrpc"),
    path("RPC2/", rpc),
    path("scheduler/internal/v1/", include("workers.urls")),
]

handler500 = "lava_lite.middleware.server_error"
