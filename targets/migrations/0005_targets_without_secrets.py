from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("targets", "0004_secrets_become_credentials"),
    ]

    operations = [
        migrations.RemoveField(model_name="target", name="sealed_secrets"),
    ]
