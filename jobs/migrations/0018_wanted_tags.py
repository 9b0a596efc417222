from django.db import migrations, models


def tell_of_tags(apps, schema_editor):
    Job = apps.get_model("jobs", "Job")
    named = {}
    for job, name in Job.tags.through.objects.order_by("pk").values_list("job_id", "tag__name"):
        named.setdefault(job, []).append(name)
    # By the base manager of a historical model: nothing is announced.
    for job, names in named.items():
        Job.objects.filter(pk=job).update(wanted_tags=names)


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0017_sayings'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='wanted_tags',
            field=models.JSONField(default=list, editable=False),
        ),
        migrations.RunPython(tell_of_tags, migrations.RunPython.noop, elidable=True),
    ]
