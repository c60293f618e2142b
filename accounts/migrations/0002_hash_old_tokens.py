"""Tokens of Django REST framework, which were stored in clear, become hashed ones with an expiry. Their keys keep
working. The old table, its content type and its permissions go."""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import migrations
from django.utils import timezone

OLD = "authtoken_token"


def move(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if OLD not in connection.introspection.table_names(cursor):
            return
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA secure_delete = ON")  # the keys do not stay in the file's free pages
        cursor.execute(f"SELECT key, user_id FROM {OLD}")
        rows = cursor.fetchall()
    now = timezone.now()
    ApiToken = apps.get_model("accounts", "ApiToken")
    ApiToken.objects.bulk_create(
        ApiToken(
            user_id=user_id,
            name="from an earlier version",
            start=key[:8],
            digest=hashlib.sha256(key.encode()).hexdigest(),
            scopes=["read", "run", "edit"],
            expires_at=now + timedelta(days=settings.TOKEN_DAYS),
        )
        for key, user_id in rows
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {OLD}")
        cursor.execute(f"DROP TABLE {OLD}")
    apps.get_model("contenttypes", "ContentType").objects.filter(app_label="authtoken").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),  # its entries may name the content type that goes
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(move, migrations.RunPython.noop, elidable=False)]
