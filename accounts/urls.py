"""The addresses of a user's own account."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/password/", views.ChangePassword.as_view(), name="password"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", views.revoke, name="token-revoke"),
    path("tokens/remote/", views.remote_tokens, name="remote-tokens"),
    path("tokens/remote/<int:pk>/forget/", views.forget_remote_token, name="remote-token-forget"),
]
