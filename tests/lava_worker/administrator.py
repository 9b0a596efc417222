"""What is done to the ring's lab behind its back, in a process of its own in the lab's environment.

Run: python -m tests.lava_worker.administrator DEED JSON. It prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django


def add_workers(workers: dict[str, list[str]]) -> dict[str, str]:
    """Workers by their names, each with its devices; their tokens."""
    from devices.models import Device, DeviceType, Worker
    from devices.states import DeviceHealth
    from tests.lava_worker import guest

    qemu, _ = DeviceType.objects.get_or_create(name="qemu", defaults={"dictionary": guest.dictionary()})
    tokens = {}
    for name, devices in workers.items():
        worker = Worker(name=name)
        tokens[name] = worker.new_token()
        worker.save()
        for device in devices:
            Device(name=device, device_type=qemu, worker=worker, health=DeviceHealth.GOOD).save()
    return tokens


def delete_job(number: int) -> None:
    """One that runs: its time is over, and somebody is quicker to free its device and delete it than its worker to stop."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from devices import lifecycle as devices
    from jobs import lifecycle, upkeep
    from jobs.models import Job

    admin = User.objects.get(username="admin")
    Job.objects.filter(pk=number).update(deadline=timezone.now())
    job = lifecycle.end_overdue(number)
    assert job.device_id is not None
    devices.free(job.device_id, by="admin")
    upkeep.delete(job, by=admin)


def set_dictionary(values: dict[str, str]) -> None:
    """Without a check."""
    from devices.models import Device
    from devices.states import DeviceHealth

    for name, dictionary in values.items():
        Device.objects.filter(pk=name).update(dictionary=dictionary, health=DeviceHealth.GOOD)


DEEDS: dict[str, Any] = {deed.__name__: deed for deed in (add_workers, delete_job, set_dictionary)}

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "lava_lite.settings"
    django.setup()
    json.dump(DEEDS[sys.argv[1]](json.loads(sys.argv[2])), sys.stdout)
