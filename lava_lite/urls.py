"""Every address of the lab."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from api.reference import api_reference
from api.xmlrpc.server import rpc

urlpatterns = [
    path("", include("jobs.urls")),
    path("", include("devices.urls")),
    path("", include("accounts.urls")),
    path("login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/docs/", api_reference, name="api-docs"),
    path("api/", include("api.urls")),
    path("RPC2", rpc, name="xmlrpc"),
    path("RPC2/", rpc),
    path("scheduler/internal/v1/", include("workers.urls")),
]

handler500 = "lava_lite.middleware.server_error"
