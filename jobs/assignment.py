"""A device for each of several jobs that begin together. Pure: values in, values out.

Taking the best device for one job after the other does not tell whether there is one for all: the first may take what
only the second could use, or the last place on a worker. It is the question for a maximum flow, from jobs over devices
to workers, and answered as such: one more job is served by moving others to devices that fit them as well, as long as
that can be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def assign(
    wanted: Sequence[Sequence[str]],
    worker_of: Mapping[str, str | None],
    room: Mapping[str | None, int | None],
) -> list[str | None]:
    """For each job one of the devices that it wants, an earlier one rather than a later one; None for whom there is none.

    As many jobs as possible get one. `room`: how many each worker takes; None for any number, 0 for one that is missing.
    """
    flow = _Flow(wanted, worker_of, room)
    for job in range(len(wanted)):
        flow.serve(job)
    return flow.given


class _Flow:
    def __init__(
        self,
        wanted: Sequence[Sequence[str]],
        worker_of: Mapping[str, str | None],
        room: Mapping[str | None, int | None],
    ) -> None:
        self.given: list[str | None] = [None] * len(wanted)
        self._wanted = wanted
        self._worker_of = worker_of
        self._room = room
        self._holder: dict[str, int] = {}

    def serve(self, job: int) -> None:
        self._move(job, set(), set())

    def _move(self, job: int, tried: set[str], cleared: set[str | None]) -> bool:
        """Give the job a device, or another one if it has one. No device is tried twice, no worker cleared twice."""
        for is_freed in (self._is_free, self._is_freed):  # nobody is moved without need
            for device in self._wanted[job]:
                if device not in tried and is_freed(device, tried, cleared):
                    self._give(job, device)
                    return True
        return False

    def _is_free(self, device: str, *_: object) -> bool:
        return device not in self._holder and self._has_room(self._worker_of[device])

    def _is_freed(self, device: str, tried: set[str], cleared: set[str | None]) -> bool:
        """Whether it is free after others have moved, and its worker has a place for it."""
        tried.add(device)
        holder = self._holder.get(device)
        if holder is not None:
            return self._move(holder, tried, cleared)  # with it, a place on the worker
        return self._is_cleared(self._worker_of[device], tried, cleared)

    def _is_cleared(self, worker: str | None, tried: set[str], cleared: set[str | None]) -> bool:
        if worker in cleared:
            return False
        cleared.add(worker)
        for device in self._taken_on(worker):
            # One whose device was tried is on the move already.
            if device not in tried:
                tried.add(device)
                if self._move(self._holder[device], tried, cleared):
                    return True
        return False

    def _give(self, job: int, device: str) -> None:
        before = self.given[job]
        if before is not None and self._holder[before] == job:
            del self._holder[before]
        self.given[job], self._holder[device] = device, job

    def _has_room(self, worker: str | None) -> bool:
        room = self._room.get(worker, 0)
        return room is None or len(self._taken_on(worker)) < room

    def _taken_on(self, worker: str | None) -> list[str]:
        return [device for device in self._holder if self._worker_of[device] == worker]
