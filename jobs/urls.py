"""The addresses of the pages about jobs, and those of LAVA that its clients print or fetch."""

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from jobs import (
    history_views,
    lab_views,
    log_lines_views,
    log_search_views,
    log_views,
    numbers,
    reservation_views,
    submit_views,
    views,
)


class MemberConverter(StringConverter):
    """The number of a job in a group, as LAVA gives it: 12.1."""

    regex = numbers.MEMBER


register_converter(MemberConverter, "member")

job_urls = [
    path("", views.detail, name="job"),
    path("log-tail", log_views.log_tail, name="job-log-tail"),
    path("log-lines", log_lines_views.log_lines, name="job-log-lines"),
    path("log-search", log_search_views.log_search, name="job-log-search"),
    path("log", log_views.log, name="job-log"),
    path("definition", views.definition, name="job-definition"),
    path("definition/whole", views.whole_definition, name="job-whole-definition"),
    path("cancel/", views.cancel, name="job-cancel"),
    path("defer/", views.defer, name="job-defer"),
    path("hurry/", views.hurry, name="job-hurry"),
    path("answer/", views.answer, name="job-answer"),
    path("resubmit/", views.resubmit, name="job-resubmit"),
    path("extend/", reservation_views.extend, name="job-extend"),
    path("release/", reservation_views.release, name="job-release"),
    path("pin/", views.pin, name="job-pin"),
    path("unpin/", views.unpin, name="job-unpin"),
]

urlpatterns = [
    path("", lab_views.home, name="home"),
    path("jobs/", views.index, name="jobs"),
    path("history/", history_views.history, name="history"),
    path("submit/", submit_views.submit, name="submit"),
    path("submit/check/", submit_views.check, name="submit-check"),
    path("reserve/", reservation_views.reserve, name="reserve"),
    path("job/<int:pk>/", include(job_urls)),
    path("job/<member:number>/", views.by_number, {"place": "/job"}),
    path("job/<member:number>/<path:rest>", views.by_number, {"place": "/job"}),
    path("scheduler/job/<member:number>", views.by_number, {"place": "/scheduler/job"}),
    path("scheduler/job/<member:number>/<path:rest>", views.by_number, {"place": "/scheduler/job"}),
    path("scheduler/job/<int:pk>", views.by_lava_address),
    path("scheduler/job/<int:pk>/", views.by_lava_address),
    path("scheduler/job/<int:pk>/log_file/plain", log_views.lava_log),
    path("scheduler/job/<int:pk>/log_file/plain/", log_views.lava_log),
    path("scheduler/job/<int:pk>/definition/plain", views.definition),
    path("scheduler/job/<int:pk>/multinode_definition/plain", views.whole_definition),
]
