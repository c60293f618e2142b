"""URLs of the pages outside the admin."""

from django.urls import path

from runs.web import approval_views, panic_views, schedule_views, views

app_name = "runs"
urlpatterns = [
    path("<int:pk>/live/", views.live, name="live"),
    path("<int:pk>/report/", views.report, name="report"),
    path("<int:pk>/report.json", views.report_json, name="report-json"),
    path("<int:pk>/junit.xml", views.for_ci, {"kind": "junit"}, name="junit"),
    path("<int:pk>/summary.md", views.for_ci, {"kind": "summary"}, name="summary"),
    path("<int:pk>/turns.csv", views.turns, {"kind": "csv"}, name="turns-csv"),
    path("<int:pk>/users.csv", views.people, {"kind": "users"}, name="users-csv"),
    path("<int:pk>/conversations.csv", views.people, {"kind": "conversations"}, name="conversations-csv"),
    path("<int:pk>/turns.json", views.turns, {"kind": "json"}, name="turns-json"),
    path("<int:pk>/series/", views.series, name="series"),
    path("<int:pk>/stop/", views.stop, name="stop"),
    path("<int:pk>/load/", views.load, name="load"),
    path("plans/<int:plan_pk>/start/", views.start, name="start"),
    path("<int:pk>/approve/", approval_views.decide, {"approved": True}, name="approve"),
    path("<int:pk>/refuse/", approval_views.decide, {"approved": False}, name="refuse"),
    path("panic/", panic_views.begin, name="panic"),
    path("panic/undo/", panic_views.undo, name="panic-undo"),
    path("schedules/<int:pk>/pause/", schedule_views.switch, {"enabled": False}, name="schedule-pause"),
    path("schedules/<int:pk>/resume/", schedule_views.switch, {"enabled": True}, name="schedule-resume"),
    path("webhooks/<int:pk>/test/", schedule_views.test_webhook, name="webhook-test"),
]
