"""Django's settings, made from `lava_lite.options`. Nothing is written here and nothing is asked of a database."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from jobs import numbers
from lava_lite import options

try:
    DATA = options.data_directory()
    _option = options.load(DATA)
except options.BadSetting as wrong:
    raise ImproperlyConfigured(str(wrong)) from wrong

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent


def _shipped(name: str) -> Path:
    """A folder beside the packages in a checkout, inside this package when installed from a wheel."""
    beside = ROOT / name
    return beside if (ROOT / "pyproject.toml").exists() else PACKAGE / name


TESTING = "pytest" in sys.modules
DAY = 24 * 60 * 60

LISTEN: str = _option["LISTEN"]
PORT: int = _option["PORT"]
LAB_URL: str = _option["LAB_URL"] or options.address(LISTEN, PORT).rstrip("/")
EVENT_NOTIFICATION: bool = _option["EVENT_NOTIFICATION"]
EVENT_TOPIC: str = _option["EVENT_TOPIC"]
EVENT_SOCKET: str = _option["EVENT_SOCKET"]
EVENT_ADDITIONAL_SOCKETS: list[str] = _option["EVENT_ADDITIONAL_SOCKETS"]
EVENT_AMQP_ENABLED: bool = _option["EVENT_AMQP_ENABLED"]
EVENT_AMQP_URL: str = _option["EVENT_AMQP_URL"]
EVENT_AMQP_EXCHANGE: str = _option["EVENT_AMQP_EXCHANGE"]
EVENT_AMQP_AUDIENCE: str = _option["EVENT_AMQP_AUDIENCE"]
PLUGINS: list[str] = _option["PLUGINS"]
WEBHOOK_ALLOWED_NETWORKS: list[str] = _option["WEBHOOK_ALLOWED_NETWORKS"]
WEBHOOKS_PER_PERSON: int = _option["WEBHOOKS_PER_PERSON"]
SUBSCRIPTIONS_PER_PERSON: int = _option["SUBSCRIPTIONS_PER_PERSON"]
SUBSCRIPTION_DAYS: int = _option["SUBSCRIPTION_DAYS"]
WORKER_AUTO_REGISTER_NETMASK: list[str] = _option["WORKER_AUTO_REGISTER_NETMASK"]
LOG_TAIL_LIMIT: int = _option["LOG_TAIL_LIMIT"]
LOG_HARD_LIMIT: int = _option["LOG_HARD_LIMIT"]
LOG_SOFT_LIMIT: int = _option["LOG_SOFT_LIMIT"]
LOG_PACK_AFTER: int = _option["LOG_PACK_AFTER"]
DEFINITION_LIMIT: int = _option["DEFINITION_LIMIT"]
DEVICE_TEMPLATES: list[str] = _option["DEVICE_TEMPLATES"]
EXTRA_CONTEXT_VARIABLES: list[str] = _option["EXTRA_CONTEXT_VARIABLES"]
JOB_TIMEOUT_GRACE: int = _option["JOB_TIMEOUT_GRACE"]
LOST_JOB_GRACE: int = _option["LOST_JOB_GRACE"]
CANCEL_GRACE: int = _option["CANCEL_GRACE"]
RESERVATION_LIMIT: int = _option["RESERVATION_LIMIT"]
RESERVATIONS_PER_PERSON: int = _option["RESERVATIONS_PER_PERSON"]
RESERVATION_WARNING: int = _option["RESERVATION_WARNING"]
KEEP_JOBS_DAYS: int = _option["KEEP_JOBS_DAYS"]
KEEP_JOBS: int = _option["KEEP_JOBS"]
KEEP_LOGS_DAYS: int = _option["KEEP_LOGS_DAYS"]
KEEP_LOGS_GB: int = _option["KEEP_LOGS_GB"]
KEEP_EVENTS_DAYS: int = _option["KEEP_EVENTS_DAYS"]
KEEP_EVENTS: int = _option["KEEP_EVENTS"]
MULTINODE_PATIENCE: int = _option["MULTINODE_PATIENCE"]
DEFER_LIMIT: int = _option["DEFER_LIMIT"]
STUCK_AFTER: int = _option["STUCK_AFTER"]
METRICS_AUDIENCE: str = _option["METRICS_AUDIENCE"]

WORKER_FILES = DATA  # dispatcher.yaml, env.yaml and env-dut.yaml of all workers that have no own
LOGS = DATA / "logs"
RUN = DATA / "run"  # doorbells
EXAMPLES = _shipped("examples")
SECRET_KEY_FILE = DATA / "secret.key"

# `lava-lite up` makes the file; a key of the moment is enough for commands that run without a lab.
SECRET_KEY = (
    SECRET_KEY_FILE.read_text(encoding="ascii").strip()
    if SECRET_KEY_FILE.exists()
    else secrets.token_urlsafe(50)
)
DEBUG: bool = _option["DEBUG"]
SERVED: bool = _option["SERVED"]
ALLOWED_HOSTS: list[str] = [*_option["ALLOWED_HOSTS"], LISTEN]  # the built-in worker calls the latter
CSRF_TRUSTED_ORIGINS: list[str] = _option["CSRF_TRUSTED_ORIGINS"]

INSTALLED_APPS = [
    "lava_lite.admin_site.LabAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "csp",
    "core",
    "accounts",
    "events",
    "devices",
    "jobs",
    "workers",
    "api",
    "lava_lite",
]

# As large as the bridge lets a body be, which has limits of its own for each path.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "lava_lite.static_files.StaticFilesMiddleware",
    "lava_lite.middleware.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.TokenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "lava_lite.middleware.BusyDatabaseMiddleware",
    "lava_lite.middleware.NotAllowedMiddleware",
]

ROOT_URLCONF = "lava_lite.urls"
ASGI_APPLICATION = "lava_lite.asgi.application"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_shipped("templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _sqlite() -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "lava_lite.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Writers queue for the one lock at BEGIN, so a transaction never fails half-way for want of it.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _by_url(url: str) -> dict[str, Any]:
    found = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
    # What a connection asks again and again, the server parses and plans a few times only: planning takes longer
    # than most of it.
    prepared = {"server_side_binding": True, "prepare_threshold": 3}
    return {**found, "OPTIONS": {**prepared, **found.get("OPTIONS", {})}}


DATABASES = {"default": _by_url(_option["DATABASE_URL"]) if _option["DATABASE_URL"] else _sqlite()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATICFILES_DIRS = [_shipped("static")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "lava_lite.static_files.VersionedStorage"},
}
WHITENOISE_USE_FINDERS = True  # serves the packages' own static files; there is no collecting step
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = _option["TIME_ZONE"]

AUTHENTICATION_BACKENDS = ["accounts.throttle.Guard", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "api.errors.answer",
    "DEFAULT_SCHEMA_CLASS": "api.openapi.schema.Schema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
_NAME_IN_PATH = {"type": "string", "pattern": "^[-_a-zA-Z0-9.@]+$"}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9.]+",
    "PREPROCESSING_HOOKS": ["api.openapi.documents.with_slash"],
    "POSTPROCESSING_HOOKS": ["api.openapi.documents.without_notes"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,  # what may be sent differs from what is shown
    "SORT_OPERATIONS": False,  # as the addresses stand
    "SORT_OPERATION_PARAMETERS": False,
    "PATH_CONVERTER_OVERRIDES": {
        "number": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
        "lab_name": _NAME_IN_PATH,
        "user_name": {"type": "string", "pattern": r"^[\w.@+-]+$"},
        "job_number": {"anyOf": numbers.SCHEMAS},
        "job": {"anyOf": [*numbers.SCHEMAS, {"type": "string", "format": "uuid"}]},
    },
}

_SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [_SELF],
        "img-src": [_SELF, "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [_SELF],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * DAY
CSRF_COOKIE_HTTPONLY = True  # every form carries its token; no script needs the cookie
CSRF_COOKIE_SAMESITE = "Lax"
if SERVED:
    SESSION_COOKIE_AGE = 7 * DAY
    # Browsers take cookies of these names from this host by HTTPS only: no neighbour under the same domain sets them.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SECURE_SSL_REDIRECT = True
    # Workers beside the server call it directly; a redirect would turn their POST into a GET.
    SECURE_REDIRECT_EXEMPT = ["^scheduler/internal/"]
    SECURE_HSTS_SECONDS = 365 * DAY
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.server": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}
