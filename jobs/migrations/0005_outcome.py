from django.conf import settings
from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q

COMPLETE, INCOMPLETE, CANCELED = 1, 2, 3
INFRASTRUCTURE_ERRORS = ["Bug", "Configuration", "Infrastructure"]


def settle(apps, schema_editor):
    """Say of each finished job how it ended."""
    Job, TestCase = apps.get_model("jobs", "Job"), apps.get_model("jobs", "TestCase")
    failed = TestCase.objects.filter(
        attempt__job=OuterRef("pk"), attempt__number=OuterRef("attempt"), result="fail"
    ).exclude(suite__name="lava")
    broken = Q(error_type__in=INFRASTRUCTURE_ERRORS)
    Job.objects.filter(health=CANCELED).update(outcome="canceled")
    Job.objects.filter(broken, health=INCOMPLETE).update(outcome="infrastructure")
    Job.objects.filter(~broken, health=INCOMPLETE).update(outcome="fail")
    Job.objects.filter(Exists(failed), health=COMPLETE).update(outcome="fail")
    Job.objects.filter(health=COMPLETE, outcome="").update(outcome="pass")


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('devices', '0002_rights'),
        ('jobs', '0004_results_in_order'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='outcome',
            field=models.CharField(blank=True, editable=False, max_length=16),
        ),
        migrations.RunPython(settle, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['outcome', '-id'], name='job_outcome'),
        ),
        migrations.RemoveIndex(
            model_name='job',
            name='job_list',
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['-end_time', '-id'], name='job_end'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['-id', 'visibility', 'device', 'device_type', 'submitter', 'state', 'health', 'submit_time', 'end_time', 'description'], name='job_list'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 5), models.Q(('outcome', ''), _negated=True)), models.Q(('outcome', ''), ('state__in', [0, 1, 2, 3, 4])), _connector='OR'), name='job_has_outcome_when_finished'),
        ),
    ]
