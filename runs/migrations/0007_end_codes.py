from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0006_versions'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='end_code',
            field=models.CharField(blank=True, db_default='', default='', help_text='How it ended: see docs/metrics.md. Empty: it goes on.', max_length=40),
        ),
        migrations.AddField(
            model_name='shard',
            name='end_code',
            field=models.CharField(blank=True, db_default='', default='', help_text='How it ended: see docs/metrics.md.', max_length=40),
        ),
    ]
