from events.catalogue import CATALOGUE

CORE4 = {
    "enqueue_job",
    "request_start_job",
    "start_job",
    "complete_job",
    "failed_start",
    "error_job",
    "request_kill_job",
    "kill_job",
    "request_remove_job",
    "remove_job",
    "restart_stopped",
    "hard_remove_job",
    "flag_nonstop",
    "flag_zombie",
    "failed_job",
    "defer_job",
    "inactivate_job",
    "restart_waiting",
}


def test_a_type_is_found_by_its_name_and_begins_with_its_subject() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert name.split(".")[0] == entry.subject
        assert entry.fires


def test_core4_has_one_name_for_each_of_its_events() -> None:
    names = [entry.core4 for entry in CATALOGUE.values() if entry.core4]

    assert len(names) == len(set(names))
    assert set(names) == CORE4


def test_the_other_dialects_use_their_own_words_only() -> None:
    entries = CATALOGUE.values()
    of_pulp = {"waiting", "accepted", "running", "suspended", "finished", "error", "canceled", "skipped"}
    of_pulp |= {"progress_report"}

    assert {entry.lava for entry in entries} == {None, "testjob", "device", "worker"}
    assert {entry.pulp for entry in entries if entry.pulp} <= of_pulp
    assert {entry.lambdacd for entry in entries if entry.lambdacd} == {
        "pipeline-started",
        "pipeline-finished",
        "step-started",
        "step-result-updated",
        "step-result-update-consumed",
        "step-finished",
    }
