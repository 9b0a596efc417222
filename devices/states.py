"""The words for devices and workers, with LAVA's numbers. No ORM."""

from __future__ import annotations

from enum import IntEnum

from core.words import Word


class DeviceState(Word):
    IDLE = 0  # nobody uses it
    RESERVED = 1  # a job has it; the worker has not confirmed the start yet
    RUNNING = 2  # a job runs on it


class DeviceHealth(Word):
    GOOD = 0
    UNKNOWN = 1  # not known to be good: checked before anything else, or used where there is no check
    LOOPING = 2  # runs its health check again and again
    BAD = 3  # its health check failed; not used until somebody looked
    MAINTENANCE = 4  # a person took it out
    RETIRED = 5  # gone for good, kept for its history


class WorkerState(Word):
    ONLINE = 0
    OFFLINE = 1  # has not asked for work for a while


class WorkerHealth(Word):
    ACTIVE = 0
    MAINTENANCE = 1  # gets no new jobs
    RETIRED = 2


class Frequency(Word):
    """What the time between two health checks is counted in."""

    HOURS = 0
    JOBS = 1


USABLE = (DeviceHealth.GOOD, DeviceHealth.UNKNOWN)
CHECKED = (*USABLE, DeviceHealth.LOOPING)  # those in which a health check is run
SET_BY_A_PERSON = (DeviceHealth.MAINTENANCE, DeviceHealth.RETIRED)


class Urgency(IntEnum):
    """What a person should look at first. Up to TAKEN_OUT, a device gets no job until somebody does something."""

    BAD = 0
    WORKER_AWAY = 1  # it has none, or one that is offline or was taken out
    LOOPING = 2
    TAKEN_OUT = 3
    UNKNOWN = 4
    WELL = 5
    RETIRED = 6
