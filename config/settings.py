"""Settings of the project. Every difference between machines is an environment variable: `variables.py` has them all.

DEBUG decides between development, where everything has a working default, and production, where what is not said is
refused rather than guessed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from config import entry
from config import variables as env
from config.databases import parse_database_url, with_limits, with_pool
from config.environment import refused
from dbops.embedded.project import ProjectServers

BASE_DIR = Path(__file__).resolve().parent.parent

_asked = env.DEBUG.read()
_set_up = any(variable.is_mentioned() for variable in (env.SECRET_KEY, env.DATABASE_URL, env.ALLOWED_HOSTS))
DEBUG = not _set_up if _asked is None else _asked

# --- secrets and hosts

_DEVELOPMENT_KEY = "django-insecure-for-development-only-never-in-production"


def _secret_key() -> str:
    key = env.SECRET_KEY.read() or (_DEVELOPMENT_KEY if DEBUG else "")
    how = 'make one with  python -c "import secrets; print(secrets.token_urlsafe(50))"'
    if not key:
        raise refused("SECRET_KEY is not set, and DEBUG is off", f"{how}; or set DEBUG=1 for development")
    if not DEBUG and (len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure-")):
        raise refused("SECRET_KEY is too easy to guess for production", how)
    return key


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = list(env.ALLOWED_HOSTS.read())
if not DEBUG and not ALLOWED_HOSTS:
    raise refused(
        "ALLOWED_HOSTS is not set, and DEBUG is off",
        "name the hosts the site is served under, ALLOWED_HOSTS=example.com; or set DEBUG=1 for development",
    )

# --- applications

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "config",
    "dbops",
    "dbops.workloads.accounts",
    "dbops.workloads.tasks",
]
if DEBUG and find_spec("django_extensions") is not None:
    INSTALLED_APPS.append("django_extensions")

MIDDLEWARE = [
    "config.content_security.ContentSecurityPolicyMiddleware",  # first, so that the answers of the others carry it too
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if not DEBUG:
    MIDDLEWARE.insert(2, "whitenoise.middleware.WhiteNoiseMiddleware")

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- servers: those of the URLs, or embedded ones while that is allowed

_embedded = env.DBOPS_EMBEDDED.read()
_embedded = DEBUG if _embedded is None else _embedded
_database_url = env.DATABASE_URL.read()
_redis_url = env.REDIS_URL.read()

# Where the embedded servers are; None where they must not start. Nothing is started here: config.entry does that.
EMBEDDED_SERVERS = ProjectServers(BASE_DIR, env.DBOPS_PG_BIN.read()) if _embedded else None
EMBEDDED_POSTGRES = EMBEDDED_SERVERS is not None and _database_url is None
EMBEDDED_VALKEY = EMBEDDED_SERVERS is not None and _redis_url is None and EMBEDDED_SERVERS.cache_url is not None


def _database() -> dict[str, Any]:
    if _database_url is not None:
        database = parse_database_url(_database_url)
    elif EMBEDDED_SERVERS is not None:
        database = {"ENGINE": "django.db.backends.postgresql", **EMBEDDED_SERVERS.database}
    else:
        raise refused(
            "DATABASE_URL is not set, and embedded servers are for development",
            "set DATABASE_URL=postgresql://user:password@host:5432/database, or DEBUG=1 for development",
        )
    database = with_limits(
        database,
        role=entry.role,
        connect_timeout_s=env.DB_CONNECT_TIMEOUT.read(),
        limits_s={
            "statement_timeout": env.DB_STATEMENT_TIMEOUT.read(),
            "lock_timeout": env.DB_LOCK_TIMEOUT.read(),
            "idle_in_transaction_session_timeout": env.DB_IDLE_TIMEOUT.read(),
        },
    )
    pool = {
        "size": env.DB_POOL_SIZE.read(),
        "overflow": env.DB_MAX_OVERFLOW.read(),
        "timeout_s": env.DB_POOL_TIMEOUT.read(),
        "recycle_s": env.DB_POOL_RECYCLE.read(),
    }
    pre_ping = env.DB_POOL_PRE_PING.read()
    return with_pool(database, **pool, pre_ping=pre_ping) if entry.role == "web" else database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _cache() -> dict[str, Any]:
    url = _redis_url
    if url is None and EMBEDDED_SERVERS is not None:
        url = EMBEDDED_SERVERS.cache_url
    if url is None:
        # Not the memory of the process: with several of them each would show its own.
        return {
            "BACKEND": entry.FILE_CACHE,
            "LOCATION": BASE_DIR / ".dbops/cache",
            # Beyond so many, entries are dropped at random, and with them the counts of attempts; Django's 300 are few.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "dbops",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 2},
    }


CACHES = {"default": _cache()}

DBOPS = {
    "HEALTH_TOKEN": env.DBOPS_HEALTH_TOKEN.read(),
    "ENABLED": env.DB_OPTIMIZATION_ENABLED.read(),
    "QUERY_TIMEOUT_S": env.DB_QUERY_TIMEOUT.read(),
    "SLOW_QUERY_MS": env.DB_MAX_QUERY_TIME.read(),
}

# --- people

AUTH_USER_MODEL = "dbops_accounts.User"
AUTHENTICATION_BACKENDS = ["dbops.workloads.accounts.backends.EmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "full_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "accounts:log_in"
LOGIN_REDIRECT_URL = "tasks:list"
LOGOUT_REDIRECT_URL = LOGIN_URL
# How often in how many seconds: docs/accounts.md.
ACCOUNT_LIMITS = {
    "log_in_by_address": (10, 15 * 60),
    "log_in_by_client": (50, 15 * 60),
    "register_by_client": (5, 60 * 60),
    "change_password_by_user": (10, 15 * 60),
}
TRUSTED_PROXIES = env.TRUSTED_PROXIES.read()

# --- the site's safety; Django's defaults already forbid frames, sniffing and foreign referrers

CSRF_TRUSTED_ORIGINS = list(env.CSRF_TRUSTED_ORIGINS.read())
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = not DEBUG and env.SECURE_SSL_REDIRECT.read()
# What asks from beside the process, a load balancer or the container itself, asks by HTTP.
SECURE_REDIRECT_EXEMPT = [r"^ht/(live/)?$"]
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if not DEBUG and env.SECURE_PROXY_SSL_HEADER.read() else None
)
SECURE_HSTS_SECONDS = 0 if DEBUG else env.SECURE_HSTS_SECONDS.read()
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.SECURE_HSTS_INCLUDE_SUBDOMAINS.read()
SECURE_HSTS_PRELOAD = env.SECURE_HSTS_PRELOAD.read()
SECURE_CSP = {
    "default-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
# What holds for other names than the site's own is for the owner of the domain to decide, not for `check --deploy`.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- language, time, static files

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
_static_storage = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEBUG
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
}

# --- logs: all to standard error, by one handler

LOG_STATEMENTS = env.DB_ECHO.read()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": env.LOG_FORMAT.read()}},
    "root": {"handlers": ["stderr"], "level": env.LOG_LEVEL.read()},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # At DEBUG it writes the parameters, and so people's data; DB_ECHO logs statements without them.
        "django.db.backends": {"level": "INFO"},
        "dbops.statements": {"level": "INFO"},
        "psycopg.pool": {"level": "DEBUG" if env.DB_ECHO_POOL.read() else "WARNING"},
    },
}
