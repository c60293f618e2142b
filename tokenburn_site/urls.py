"""URLs of the site."""

from django.contrib import admin
from django.urls import include, path

from tokenburn_site.web import security_txt, workers
from tokenburn_site.web.views import favicon, home

admin.autodiscover()

handler404 = "tokenburn_site.web.views.not_found"
handler500 = "tokenburn_site.web.outage.server_error"

urlpatterns = [
    path("", home, name="home"),
    path("favicon.ico", favicon),
    path(security_txt.PATH, security_txt.security_txt),
    path("account/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("runs/", include("runs.urls")),
    path("workers/", workers.page, name="workers"),
    path("api/", include("tokenburn_site.web.api")),
]
