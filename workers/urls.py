"""The addresses of LAVA's worker protocol; the trailing slashes belong to it."""

from django.urls import path

from workers import server

urlpatterns = [
    path("workers/", server.register, name="worker-register"),
    path("workers/<str:name>/", server.ping, name="worker-ping"),
    path("jobs/<str:job_id>/", server.job, name="worker-job"),
    path("jobs/<str:job_id>/logs/", server.job_logs, name="worker-job-logs"),
    path("jobs/<str:job_id>/answers/", server.job_answers, name="worker-job-answers"),
]
