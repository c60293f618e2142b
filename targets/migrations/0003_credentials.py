import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("targets", "0002_help_texts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Credential",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=120, unique=True)),
                (
                    "origins",
                    models.JSONField(
                        default=list,
                        help_text='Where its values may be sent, such as ["https://api.example.org:443"].',
                    ),
                ),
                ("sealed_secrets", models.TextField(blank=True, default="", editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "last_used_at",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="When a test message or a run last used it.",
                        null=True,
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Groups whose members may use it.",
                        related_name="shared_credentials",
                        to="auth.group",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="May use, edit, share and delete it. Empty: only administrators may.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="owned_credentials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "users",
                    models.ManyToManyField(
                        blank=True,
                        help_text="May use it besides its owner: test targets with it, and plan and start runs.",
                        related_name="shared_credentials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["name"], "permissions": [("use_credential", "Can use every credential")]},
        ),
        migrations.AddField(
            model_name="target",
            name="credential",
            field=models.ForeignKey(
                blank=True,
                help_text="Its secrets, used in templates as {{ secret.NAME }}.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="targets",
                to="targets.credential",
            ),
        ),
    ]
