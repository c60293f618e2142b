"""Django's settings. Every value that may differ between machines comes from `tokenburn_site.config.env`."""

from pathlib import Path

from tokenburn_site.config.env import Env, database_config, private_addresses
from tokenburn_site.config.keys import Keyring, development_key, keyring
from tokenburn_site.config.logs import logging_config
from tokenburn_site.config.oidc import OidcEnv
from tokenburn_site.config.private_files import keep_private, narrow
from tokenburn_site.config.version import VERSION
from tokenburn_site.config.webconf import (
    AUDIT_READS,
    AUDIT_UNTOLD,
    FAILURES,
    FAILURES_PAUSE,
    REST_FRAMEWORK,
    SPECTACULAR_SETTINGS,
    UNFOLD,
)

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env.read()
keep_private()
VAR_DIR = env.prepare_dir(BASE_DIR / "var")
LEDGER_DIR = VAR_DIR / "ledgers"

SECRET_KEY_GIVEN = env.secret_key is not None
SECRET_KEY = env.secret_key.get_secret_value() if env.secret_key else development_key(VAR_DIR / "django.key")
KEYRING_FILE = VAR_DIR / "secrets.key"
KEYRING_GIVEN = env.keys is not None
SECRET_KEYRING = keyring(env.keys, KEYRING_FILE)


def REREAD_KEYRING() -> Keyring:
    """The current content of `.env` or of the development keys: another process may have rotated them."""
    return keyring(Env.read().keys, KEYRING_FILE)


ALLOW_PRIVATE = private_addresses(env)
CONNECTORS = env.connectors
REGION = env.region
RECORD_CHARS = env.record_chars
SOURCE_ADDRESSES = tuple(map(str, env.source_addresses))
REQUIRE_OWNERSHIP = env.require_ownership
APPROVAL_HOURS = env.approval_hours
HISTORY_DAYS = env.history_days
AUDIT_SYSLOG = env.audit_syslog
SITE_URL = env.site_url
TOKEN_MAX_DAYS = env.token_max_days
REQUIRE_MFA = env.require_mfa
OIDC = OidcEnv.read()
LOCAL_PASSWORDS = env.local_passwords
SESSION_IDLE_HOURS = env.session_idle_hours
SESSION_MAX_HOURS = env.session_max_hours
SESSION_COOKIE_AGE = int(SESSION_MAX_HOURS * 3600)
TOKEN_DAYS = min(env.token_days, TOKEN_MAX_DAYS)
SECURITY_CONTACT = env.security_contact
DEBUG = env.debug
ALLOWED_HOSTS = env.allowed_hosts
CSRF_TRUSTED_ORIGINS = env.csrf_trusted_origins

INSTALLED_APPS = [
    "accounts",  # before django.contrib.auth, whose commands it makes stricter
    "policy",  # before the theme, whose base template it extends
    "unfold.apps.BasicAppConfig",  # without its site: ours is made of it
    "unfold.contrib.filters",
    "tokenburn_site.web.admin_app.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "audit",
    "targets",
    "scenarios",
    "metrics",
    "runs",
    "tokenburn_site",
]
MIDDLEWARE = [
    "tokenburn_site.web.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.LogInMiddleware",
    "audit.middleware.AuditMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tokenburn_site.web.outage.DatabaseOutageMiddleware",
    "tokenburn_site.web.data_errors.DataErrorMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "tokenburn_site.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "policy.banner.context",
            ]
        },
    }
]
ASGI_APPLICATION = "tokenburn_site.asgi.application"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = FAILURES
AXES_COOLOFF_TIME = FAILURES_PAUSE
AXES_LOCKOUT_PARAMETERS = ["ip_address"]  # by user name, anybody could lock out the administrator
AXES_CLIENT_IP_CALLABLE = "tokenburn_site.web.sign_in.client_address"
AXES_LOCKOUT_CALLABLE = "tokenburn_site.web.sign_in.refused"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the wait is as long as was said
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_VERBOSE = False  # no line at each start
AXES_SENSITIVE_PARAMETERS = ["username"]  # in log lines: some people type their password there
AXES_ENABLE_ADMIN = False  # its rows are shown by ours (tokenburn_site/admin.py)
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

DATABASES = {"default": database_config(env.database_url or f"sqlite:///{VAR_DIR / 'tokenburn.sqlite3'}")}
_file = DATABASES["default"]["NAME"] if DATABASES["default"]["ENGINE"].endswith("sqlite3") else ""
WIDE_FILES = narrow(VAR_DIR, Path(_file) if _file and Path(_file).is_absolute() else None)
"""One line for each file that other accounts can read and this one cannot change."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "tokenburn_site.config.formats"  # one form of dates, on every page
TIME_ZONE = env.time_zone
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
# The admin theme brings an Alpine that evaluates strings; this build of it parses them (Alpine's own, vendored).
STATICFILES_DIRS = [("unfold/js/alpine", BASE_DIR / "tokenburn_site" / "vendor" / "alpinejs-csp-3.17.4")]
WHITENOISE_USE_FINDERS = True  # it also looks where each app keeps its files

REDIS_URL = env.redis_url
REDIS_GIVEN = "redis_url" in env.model_fields_set
CELERY_TIMEZONE = TIME_ZONE  # django-celery-beat's default for new cron entries; the rest: config/celeryconf.py

LOGGING = logging_config(env.log_level, env.log_format)

SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.https else None
SECURE_HSTS_SECONDS = 365 * 86400 if env.https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
