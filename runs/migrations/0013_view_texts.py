from django.db import migrations

READ_UNTIL_NOW = ("view_run", "change_run", "view_sessionmetric")


def grant(apps, schema_editor):
    """Whoever could read texts until now still can. A new installation chooses."""
    using = schema_editor.connection.alias
    Permission = apps.get_model("auth", "Permission").objects.using(using)
    readers = Permission.filter(codename__in=READ_UNTIL_NOW, content_type__app_label__in=("runs", "metrics"))
    if not readers.exists():
        return  # permissions are made after the first migration
    kinds = apps.get_model("contenttypes", "ContentType").objects.using(using)
    run, _ = kinds.get_or_create(app_label="runs", model="run")
    right, _ = Permission.get_or_create(
        content_type=run, codename="view_texts", defaults={"name": "Can read the texts of conversations"}
    )
    for group in apps.get_model("auth", "Group").objects.using(using).filter(permissions__in=readers).distinct():
        group.permissions.add(right)
    users = apps.get_model("auth", "User").objects.using(using)
    for user in users.filter(user_permissions__in=readers).distinct():
        user.user_permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0012_approval"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="run",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("approve_run", "Can approve runs of others"),
                    ("view_texts", "Can read the texts of conversations"),
                ],
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
