"""A row that was read in SQL is the one that Django would have read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core import rows
from devices.models import Device, Worker
from jobs.models import Attempt, Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


def row_of(instance: Model) -> Model:
    model, reading = type(instance), rows.reading(type(instance))
    table, key = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {reading.columns} FROM {table} WHERE {key} = %s", [instance.pk])
        found: Model = reading.instance(model, cursor.fetchone())
    return found


def values_of(instance: Model) -> dict[str, tuple[type, object]]:
    values = {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}
    return {name: (type(value), value) for name, value in values.items()}


def test_every_value_of_a_row_is_as_django_reads_it(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    Job.objects.filter(pk=job.pk).update(wanted_tags=["usb"], wall_time=timedelta(hours=1))

    for instance in (job, Attempt.objects.get(job=job), Device.objects.get(), Worker.objects.get()):
        by_django = type(instance)._base_manager.get(pk=instance.pk)

        assert values_of(row_of(instance)) == values_of(by_django)


def test_what_was_not_read_of_a_row_is_asked_for_when_it_is_needed(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    job = build.job(submitter=alice)

    with django_assert_num_queries(1):
        (found,) = rows.select(Job, "WHERE id = %s", [job.pk], only=("id", "state"))
        assert found.get_deferred_fields() == {
            field.attname for field in Job._meta.concrete_fields if field.name not in ("id", "state")
        }
    with django_assert_num_queries(1):
        assert found.description == job.description


def test_rows_of_two_tables_are_as_django_reads_them(alice: User) -> None:
    job = build.job(submitter=alice)
    joined = "JOIN auth_user ON auth_user.id = submitter_id WHERE jobs_job.id = %s"

    ((found, submitter),) = rows.pairs(Job, User, joined, [job.pk])

    assert values_of(found) == values_of(Job.objects.get(pk=job.pk))
    assert values_of(submitter) == values_of(User.objects.get(pk=alice.pk))


def test_a_row_that_was_read_is_saved_as_one_that_exists(alice: User) -> None:
    attempt = row_of(Attempt.objects.get(job=build.job(submitter=alice, state=State.RUNNING)))

    assert isinstance(attempt, Attempt)
    attempt.errors = "the kernel did not boot"
    attempt.save()

    assert [each.errors for each in Attempt.objects.all()] == ["the kernel did not boot"]


def test_values_are_written_as_the_database_wants_them(alice: User) -> None:
    now = timezone.now()
    job = build.job(submitter=alice, state=State.RUNNING)

    Attempt.objects.write(job.pk, 1, ended=now, deferral=timedelta(hours=1), result="fail")

    found = Attempt.objects.get(job=job)
    assert (found.ended, found.deferral, found.result) == (now, timedelta(hours=1), "fail")


def test_what_is_written_of_no_attempt_changes_none(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    assert Attempt.objects.write(job.pk, 2, result="fail") is None

    assert [each.result for each in Attempt.objects.all()] == [""]
