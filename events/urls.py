"""The addresses of pages about events."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from events import views
from events.subscriptions import views as subscriptions
from events.webhooks import views as webhooks

webhook_urls: list[URLPattern | URLResolver] = [
    path("", webhooks.webhook, name="webhook"),
    path("change/", webhooks.change, name="webhook-change"),
    path("pause/", webhooks.pause, name="webhook-pause"),
    path("resume/", webhooks.resume, name="webhook-resume"),
    path("test/", webhooks.ping, name="webhook-test"),
    path("secret/", webhooks.secret, name="webhook-secret"),
    path("new-secret/", webhooks.new_secret, name="webhook-new-secret"),
    path("delete/", webhooks.delete, name="webhook-delete"),
    path("deliveries/<int:pk>/resend/", webhooks.resend, name="webhook-resend"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("events/", views.index, name="events"),
    path("events/<int:sequence>/", views.detail, name="event"),
    path("account/webhooks/", webhooks.webhooks, name="webhooks"),
    path("account/webhooks/<uuid:uuid>/", include(webhook_urls)),
    path("account/subscriptions/", subscriptions.subscriptions, name="subscriptions"),
    path("account/subscriptions/<str:name>/renew/", subscriptions.renew, name="subscription-renew"),
    path("account/subscriptions/<str:name>/delete/", subscriptions.delete, name="subscription-delete"),
]
