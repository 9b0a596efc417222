"""The table of moves, as plain values."""

from itertools import product

import pytest

from devices.states import DeviceState
from events.catalogue import CATALOGUE
from jobs.states import MOVES, ON_A_DEVICE, UNFINISHED, Health, InvalidMove, Move, State, find_move

ENDS = {(move.source, move.target, move.health) for move in MOVES if move.requeue is None}
WAYS = {(move.source, move.target, move.health, move.closes, move.requeue) for move in MOVES}
EVERY_MOVE = list(product([None, *State], State, Health))


def test_no_move_is_listed_twice() -> None:
    assert len(WAYS) == len(MOVES)


@pytest.mark.parametrize(
    "move", MOVES, ids=lambda move: f"{move.verb} {move.source}-{move.target}-{move.health}"
)
def test_a_move_is_found_by_its_ends(move: Move) -> None:
    found = find_move(move.source, move.target, move.health, closes=move.closes, requeue=move.requeue)

    assert found is move


@pytest.mark.parametrize("ends", [ends for ends in EVERY_MOVE if ends not in ENDS], ids=str)
def test_every_other_move_is_refused(ends: tuple[State | None, State, Health]) -> None:
    with pytest.raises(InvalidMove):
        find_move(*ends)


def test_a_refusal_says_what_the_table_has_instead() -> None:
    with pytest.raises(InvalidMove) as refused:
        find_move(State.RUNNING, State.SUBMITTED, Health.UNKNOWN)

    assert str(refused.value) == (
        "a job cannot go from Running to Submitted; "
        "from Running: Canceling, Finished/Complete, Finished/Incomplete"
    )


def test_the_end_has_no_way_out() -> None:
    with pytest.raises(InvalidMove, match="no way out"):
        find_move(State.FINISHED, State.RUNNING, Health.UNKNOWN)


@pytest.mark.parametrize(
    "move", MOVES, ids=lambda move: f"{move.verb} {move.source}-{move.target}-{move.health}"
)
def test_every_move_records_events_of_the_catalogue(move: Move) -> None:
    assert move.events
    assert set(move.events) <= CATALOGUE.keys()


def test_a_job_has_a_health_exactly_when_it_is_finished() -> None:
    for move in MOVES:
        assert (move.target is State.FINISHED) == (move.health is not Health.UNKNOWN)


def test_from_every_state_that_is_reached_there_is_a_way_to_the_end() -> None:
    reached = {move.target for move in MOVES} - {State.FINISHED}
    open_ends = {State.FINISHED}
    for _ in State:
        open_ends |= {move.source for move in MOVES if move.target in open_ends and move.source is not None}

    assert reached <= open_ends


def test_what_goes_back_to_the_queue_begins_another_attempt_if_it_had_a_device() -> None:
    for move in MOVES:
        goes_back = move.source in ON_A_DEVICE and move.target is State.SUBMITTED
        assert move.ends_attempt == goes_back


def test_an_attempt_that_another_one_follows_sets_the_device_free_or_closes_it() -> None:
    for move in MOVES:
        if move.ends_attempt:
            assert (move.device is DeviceState.IDLE) != move.closes


def test_the_end_of_a_job_on_a_device_sets_the_device_free_or_closes_it() -> None:
    for move in MOVES:
        if move.source in ON_A_DEVICE and move.target is State.FINISHED:
            assert (move.device is DeviceState.IDLE) != move.closes


def test_whatever_is_on_a_device_can_be_ended_without_its_worker() -> None:
    reached = {move.target for move in MOVES} & set(ON_A_DEVICE)

    assert {move.source for move in MOVES if move.closes and move.target is State.FINISHED} == reached


def test_unfinished_is_all_but_finished() -> None:
    assert set(State) - set(UNFINISHED) == {State.FINISHED}


def test_the_numbers_are_those_of_lava() -> None:
    assert [state.label for state in sorted(State)] == [
        "Submitted",
        "Scheduling",
        "Scheduled",
        "Running",
        "Canceling",
        "Finished",
    ]
    assert [health.label for health in sorted(Health)] == ["Unknown", "Complete", "Incomplete", "Canceled"]
