"""Settings of the admin's theme, the API and its schema: constant on every machine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

from tokenburn_site.config.version import VERSION

REST_FRAMEWORK: dict[str, Any] = {
    # Token first: its answer to a stranger is 401 with a challenge, the session's would be a bare 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tokenburn_site.web.permissions.StaffModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["inputs.rest_parser.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["inputs.rest_filters.Filters"],
    "DEFAULT_PAGINATION_CLASS": "tokenburn_site.web.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "tokenburn_site.web.schema.Schema",
    "EXCEPTION_HANDLER": "tokenburn_site.web.api.explain",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
AUDIT_READS = {
    "run-report": "report.read",
    "run-junit": "report.read",
    "run-summary": "report.read",
    "run-turns": "turns.read",
    "run-sessions": "sessions.read",
    "run-users": "users.read",
    "run-conversations": "sessions.read",
    "runs:report": "report.read",
    "admin:metrics_sessionmetric_change": "turns.read",
    "audit-list": "audit.read",
    "admin:audit_auditevent_changelist": "audit.read",
}
"""What the audit log says of reading, by the name of a route; besides, every download is recorded."""
AUDIT_UNTOLD = frozenset({"plan-estimate", "health", "admin:login", "admin:logout", "admin:jsi18n"})
"""Routes whose requests change nothing, or are recorded in another way."""
FAILURES = 20
"""Failed log-ins from one address, whatever their user names, after which it has to wait."""
FAILURES_PAUSE = timedelta(minutes=15)
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Token-Burn",
    "DESCRIPTION": "A load test for chatbots that you can believe: targets, scenarios, plans, runs, reports.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",  # JSON Schema itself, with which loads and scenarios are described
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAdminUser"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "runs.models.RunStatus.choices",
        "ShardStatusEnum": "runs.models.ShardStatus.choices",
        "SlotStatusEnum": "runs.models.SlotStatus.choices",
        "DeliveryStatusEnum": "runs.models.DeliveryStatus.choices",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tokenburn_site.web.schema_models.add_models",
        "tokenburn_site.web.schema.add_refusals",
    ],
}


KEEPERS = ("targets.view_credential", "targets.add_credential", "targets.add_target", "targets.change_target")
"""One of these rights shows credentials in the menu: those that somebody may see, and may make."""


def _item(title: str, icon: str, view: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(view),
        "permission": lambda request: request.user.has_perm(permission),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Token-Burn",
    "SITE_HEADER": "Token-Burn",
    "SITE_SUBHEADER": "Load tests for chatbots",
    "SITE_SYMBOL": "local_fire_department",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("tokenburn/favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda _: static("tokenburn/theme.css"), lambda _: static("tokenburn/site.css")],
    "SCRIPTS": [lambda _: static("tokenburn/theme.js"), lambda _: static("tokenburn/json-fields.js")],
    "DASHBOARD_CALLBACK": "runs.web.dashboard.context",
    "COLORS": lambda _: {},  # they stand in theme.css: the theme would print them into each page
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "Second factor", "link": reverse_lazy("accounts:second-factor")},
            {"title": "API tokens", "link": reverse_lazy("admin:accounts_apitoken_changelist")},
        ]
    },
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Load tests",
                "items": [
                    {"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    _item("Targets", "smart_toy", "admin:targets_target_changelist", "targets.view_target"),
                    {
                        "title": "Credentials",
                        "icon": "key",
                        "link": reverse_lazy("admin:targets_credential_changelist"),
                        "permission": lambda request: any(map(request.user.has_perm, KEEPERS)),
                    },
                    _item("Scenarios", "forum", "admin:scenarios_scenario_changelist", "scenarios.view_scenario"),
                    _item("Test plans", "assignment", "admin:runs_testplan_changelist", "runs.view_testplan"),
                    _item("Runs", "local_fire_department", "admin:runs_run_changelist", "runs.view_run"),
                    _item("Schedules", "schedule", "admin:runs_planschedule_changelist", "runs.view_planschedule"),
                    _item("Webhooks", "webhook", "admin:runs_webhook_changelist", "runs.view_webhook"),
                    _item("Workers", "dns", "workers", "runs.view_run"),
                ],
            },
            {
                "title": "Records",
                "separator": True,
                "collapsible": True,
                "items": [
                    _item("Sessions", "chat", "admin:runs_session_changelist", "runs.view_session"),
                    _item("Turns", "sms", "admin:metrics_sessionmetric_changelist", "metrics.view_sessionmetric"),
                ],
            },
            {
                "title": "Administration",
                "separator": True,
                "collapsible": True,
                "items": [
                    _item("Audit log", "history", "admin:audit_auditevent_changelist", "audit.view_auditevent"),
                    _item("Policies", "policy", "admin:policy_policy_changelist", "policy.view_policy"),
                    _item(
                        "Limits of all",
                        "speed",
                        "admin:policy_installationlimits_changelist",
                        "policy.view_installationlimits",
                    ),
                    _item("Proved hosts", "verified", "admin:policy_ownedhost_changelist", "policy.view_ownedhost"),
                    _item("Emergency stops", "emergency_home", "admin:policy_panic_changelist", "policy.view_panic"),
                    _item(
                        "Periodic tasks",
                        "update",
                        "admin:django_celery_beat_periodictask_changelist",
                        "django_celery_beat.view_periodictask",
                    ),
                    _item("Log-ins", "login", "admin:axes_accesslog_changelist", "axes.view_accesslog"),
                    _item(
                        "Failed log-ins",
                        "gpp_bad",
                        "admin:axes_accessfailurelog_changelist",
                        "axes.view_accessfailurelog",
                    ),
                    _item("Users", "person", "admin:auth_user_changelist", "auth.view_user"),
                    _item("Groups", "group", "admin:auth_group_changelist", "auth.view_group"),
                    {
                        "title": "API tokens",
                        "icon": "vpn_key",
                        "link": reverse_lazy("admin:accounts_apitoken_changelist"),
                        "permission": lambda request: request.user.is_staff,
                    },
                    {"title": "API", "icon": "api", "link": reverse_lazy("api-docs")},
                ],
            },
        ]
    },
}
