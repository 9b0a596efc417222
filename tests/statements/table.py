"""Which tests show each statement about events: the numbers are those of the lab's list of aims, E1 to E46."""

from __future__ import annotations

MATRIX = (
    "tests/events/matrix/test_matrix_of_events.py::test_nobody_hears_on_any_transport_what_rest_refuses_them"
)
CHAOS = "tests/chaos/test_chaos.py::test_after_a_minute_of_chaos_everybody_has_heard_what_was_promised"

# By number: what it says in short, and the tests that fail where it does not hold.
SHOWN: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "each event is a CloudEvent and as its schema says",
        (
            "tests/events/test_cloud.py::test_every_type_happens_and_is_a_valid_cloud_event",
            "tests/events/test_cloud.py::test_what_is_left_of_an_event_for_a_stranger_is_valid_too",
        ),
    ),
    2: (
        "one id on every transport, retry and replay",
        (
            MATRIX,
            "tests/events/test_outbox.py::test_processes_that_were_forked_never_give_two_events_the_same_id",
            "tests/events/test_cloud.py::test_an_event_is_rendered_the_same_every_time",
            "tests/events/webhooks/test_sender.py::test_a_server_error_is_tried_again_with_the_same_id_and_the_others_wait",
            "tests/events/webhooks/test_sender.py::test_what_was_sent_and_not_written_down_is_sent_again_with_the_same_id",
            "tests/events/test_amqp.py::test_a_position_that_is_set_back_has_events_sent_again",
        ),
    ),
    3: (
        "a gapless sequence for the lab, and one for each job",
        (
            "tests/events/test_numbering.py::test_numbers_begin_with_one_and_have_no_gap",
            "tests/events/test_numbering.py::test_many_writers_two_numberers_and_a_reader_at_once",
            "tests/events/test_numbering.py::test_an_answer_has_a_higher_number_than_what_it_answers",
            "tests/events/test_outbox.py::test_the_events_of_a_job_are_counted_one_by_one",
            "tests/events/test_outbox.py::test_events_of_a_job_that_are_written_together_go_on_counting",
        ),
    ),
    4: (
        "each move yields exactly the types of the catalogue",
        (
            "tests/jobs/test_lifecycle.py::test_a_move_records_exactly_the_events_of_the_table",
            "tests/jobs/test_random_walks.py::test_whatever_is_done_in_whatever_order",
            "tests/events/test_catalogue.py::test_core4_has_one_name_for_each_of_its_events",
            "tests/events/test_plugins.py::test_every_topic_of_the_catalogue_is_told_in_lambdacd_s_shape",
        ),
    ),
    5: (
        "old and new state, cause, attempt and time of the next try",
        (
            "tests/jobs/test_lifecycle.py::test_a_state_event_carries_the_old_and_the_new_state_and_its_cause",
            "tests/events/test_cloud.py::test_every_field_that_is_listed_is_told_by_something",
        ),
    ),
    6: (
        "LAVA's own subscriber prints the stream",
        (
            "tests/events/test_zmq.py::test_a_subscriber_hears_the_whole_life_of_a_job_in_the_order_of_lava",
            "tests/events/test_zmq.py::test_the_five_frames_are_what_lava_sends",
        ),
    ),
    7: (
        "a kill leaves both state and event, or neither",
        (
            "tests/jobs/test_crashes.py::test_a_process_killed_at_any_statement_of_any_verb_leaves_all_or_nothing",
        ),
    ),
    8: (
        "what is rolled back is told nowhere",
        (
            "tests/events/test_outbox.py::test_a_rollback_leaves_neither_the_change_nor_its_event_on_any_transport",
            "tests/events/test_amqp.py::test_what_was_rolled_back_is_not_told",
            "tests/events/test_plugins.py::test_what_is_rolled_back_is_told_to_nobody",
        ),
    ),
    9: (
        "commits in another order than the starts are not skipped",
        (
            "tests/events/test_numbering.py::test_a_transaction_that_began_first_and_commits_last_is_not_skipped",
        ),
    ),
    10: (
        "each way of changing a job tells what the table says, once",
        (
            "tests/jobs/test_announcements.py::test_a_change_by_hand_records_the_events_of_the_table_once",
            "tests/jobs/test_announcements.py::test_several_jobs_in_one_update_are_each_told_of_once",
            "tests/jobs/test_admin.py::test_canceling_takes_waiting_jobs_out_and_asks_started_ones_to_stop",
        ),
    ),
    11: (
        "who is told reads a state at least as new",
        ("tests/events/test_plugins.py::test_who_is_told_of_something_finds_it_in_the_database",),
    ),
    12: (
        "who was cut off hears all once and in order",
        (
            "tests/events/test_sse.py::test_who_was_cut_off_again_and_again_hears_everything_once_and_in_order",
            "tests/events/sockets/test_lava.py::test_whoever_was_away_hears_all_that_was_missed_once_and_in_order",
            "tests/api/core4/test_conversation.py::test_whoever_was_away_hears_all_that_was_missed_once_and_in_order",
        ),
    ),
    13: (
        "so does who comes back to a lab that was started anew",
        (
            "tests/events/test_sse.py::test_who_comes_back_to_a_lab_that_was_started_anew_hears_what_was_missed",
            "tests/events/sockets/test_lava.py::test_whoever_comes_back_after_the_lab_was_away_hears_what_was_missed",
            CHAOS,
        ),
    ),
    14: (
        "no gap and no repetition between what was and what is",
        (
            "tests/events/test_sse.py::test_nothing_is_lost_or_told_twice_between_what_was_and_what_is",
            "tests/events/sockets/test_lava.py::test_nothing_is_lost_or_told_twice_between_what_was_and_what_is",
        ),
    ),
    15: (
        "a cursor that is too old gets a reset",
        (
            "tests/events/test_sse.py::test_a_place_from_which_one_cannot_go_on_is_a_problem_that_leads_to_a_snapshot",
            "tests/events/test_sse.py::test_a_place_that_is_lost_in_mid_stream_is_told_and_ends_it",
            "tests/events/sockets/test_lava.py::test_a_cursor_whose_events_are_gone_is_refused_with_the_oldest_that_is_left",
            "tests/api/core4/test_conversation.py::test_a_cursor_whose_events_are_gone_is_answered_with_a_reset",
            "tests/api/v1/test_subscriptions.py::test_events_that_are_gone_are_a_reset_that_leads_to_a_snapshot",
        ),
    ),
    16: (
        "with every wake-up lost, events arrive by looking",
        (
            "tests/events/matrix/test_lost_bells.py::test_with_every_wake_up_lost_events_arrive_all_the_same",
            "tests/events/matrix/test_lost_bells.py::test_whoever_is_not_woken_looks_often_enough",
        ),
    ),
    17: (
        "a subscription keeps its place in the lab, wants acknowledgements, tells again and expires visibly",
        (
            "tests/events/subscriptions/test_delivery.py::test_in_any_order_of_deeds_each_event_is_told_until_it_is_acknowledged_and_never_again",
            "tests/events/subscriptions/test_delivery.py::test_several_at_once_lose_nothing_and_are_told_nothing_again_that_one_has_acknowledged",
            "tests/events/subscriptions/test_delivery.py::test_a_kill_between_any_two_statements_loses_nothing",
            "tests/events/subscriptions/test_in_a_lab.py::test_a_consumer_and_a_server_that_are_killed_lose_nothing",
            "tests/api/v1/test_subscriptions.py::test_one_that_is_expired_says_when_and_why_and_is_renewed",
            "tests/events/subscriptions/test_views.py::test_one_that_is_expired_is_shown_with_the_reason_and_begins_anew",
        ),
    ),
    18: (
        "a snapshot and what comes after it give the present state",
        (
            "tests/events/test_snapshots.py::test_whoever_hears_the_events_after_a_snapshot_knows_the_lab_as_it_is",
        ),
    ),
    19: (
        "one snapshot, then exactly the events after it",
        (
            "tests/events/test_sse.py::test_a_snapshot_is_followed_by_exactly_the_events_after_it",
            "tests/events/test_snapshots.py::test_a_snapshot_that_is_taken_while_much_happens_is_of_one_moment",
        ),
    ),
    20: (
        "summaries when something has changed",
        (
            "tests/api/core4/test_conversation.py::test_the_queue_is_summed_up_at_once_and_then_when_it_has_changed",
            "tests/api/core4/test_conversation.py::test_all_sockets_of_a_user_share_one_count_and_an_idle_lab_is_not_counted_again",
            "tests/jobs/test_summary.py::test_jobs_are_counted_by_state",
            "tests/jobs/test_summary.py::test_flags_are_counted_beside_the_states",
            "tests/jobs/test_summary.py::test_what_has_not_changed_is_not_told_again",
            "tests/jobs/test_summary.py::test_what_changes_within_a_second_is_told_together",
        ),
    ),
    21: (
        "history in core4's pages",
        ("tests/jobs/test_history.py::test_the_history_comes_in_core4s_pages",),
    ),
    22: (
        "pages by number repeat and skip nothing",
        (
            "tests/events/test_history.py::test_pages_repeat_and_skip_nothing_in_either_direction",
            "tests/events/test_history.py::test_what_happens_between_two_pages_is_on_a_later_one",
        ),
    ),
    23: (
        "the queue in buckets is what a count of the events gives",
        ("tests/jobs/test_history.py::test_buckets_are_what_a_count_of_the_events_gives",),
    ),
    24: (
        "a filter chooses the same live and afterwards",
        ("tests/events/test_history.py::test_a_filter_chooses_the_same_live_and_afterwards",),
    ),
    25: (
        "a topic means the same on every transport",
        (
            "tests/events/matrix/test_topics_everywhere.py::test_a_pattern_of_topics_means_the_same_on_every_transport",
            "tests/events/test_amqp.py::test_a_binding_means_what_a_pattern_means_everywhere",
            "tests/events/test_topics.py::test_it_agrees_with_the_definition",
        ),
    ),
    26: (
        "filters by type, tag, submitter, state and group",
        (
            "tests/events/test_selection.py::test_an_event_is_chosen_by_what_it_is_and_says",
            "tests/events/test_selection.py::test_one_thing_that_does_not_hold_is_enough_to_pass_it_over",
        ),
    ),
    27: ("nobody hears of what REST refuses", (MATRIX,)),
    28: (
        "a type without a rule is for nobody",
        (
            MATRIX,
            "tests/events/test_visibility.py::test_an_unknown_type_is_for_nobody",
            "tests/events/test_visibility.py::test_a_subject_without_a_rule_is_for_nobody",
            "tests/events/test_custom.py::test_a_custom_event_that_has_no_rule_is_for_nobody",
        ),
    ),
    29: (
        "hidden jobs are one row for each state in a summary",
        (
            MATRIX,
            "tests/api/core4/test_conversation.py::test_what_one_may_not_see_is_hidden_whoever_came_first",
            "tests/api/core4/test_conversation.py::test_a_hidden_job_is_one_of_the_unauthorized_and_its_events_are_not_told",
        ),
    ),
    30: (
        "a right that is gone ends or narrows every open stream",
        (
            "tests/events/matrix/test_rights_that_end.py::test_every_stream_ends_with_what_opened_it",
            "tests/events/matrix/test_rights_that_end.py::test_every_stream_narrows_with_the_rights_of_who_listens",
            "tests/events/matrix/test_rights_that_end.py::test_every_stream_narrows_when_a_device_is_hidden",
            "tests/events/matrix/test_rights_that_end.py::test_a_summary_narrows_although_nothing_happens",
            "tests/events/matrix/test_rights_that_end.py::test_what_takes_longest_to_be_noticed_takes_no_longer_than_is_allowed",
            "tests/events/webhooks/test_sender.py::test_a_right_that_was_revoked_counts_for_what_is_still_to_be_sent",
            "tests/events/subscriptions/test_waiting.py::test_who_may_not_come_in_any_more_is_answered_soon",
            "tests/events/subscriptions/test_waiting.py::test_who_has_lost_a_right_is_told_nothing_of_what_it_hides",
        ),
    ),
    31: (
        "who stops reading delays nobody and is dropped",
        (
            "tests/events/test_sse.py::test_a_listener_that_takes_nothing_is_dropped_holds_up_nobody_and_goes_on_later",
            "tests/events/test_sse.py::test_a_listener_that_takes_nothing_costs_little_and_delays_others_by_less_than_a_second",
            "tests/lava_lite/test_patience.py::test_a_client_that_reads_nothing_is_dropped_with_a_reason_and_goes_on_from_its_last_number",
            "tests/lava_lite/test_patience.py::test_a_client_that_reads_nothing_costs_little_and_delays_others_by_less_than_a_second",
        ),
    ),
    32: (
        "a handler or socket that raises does not stop the others",
        (
            "tests/events/test_bus.py::test_a_handler_that_raises_is_logged_and_goes_on",
            "tests/events/sockets/test_lava.py::test_a_socket_that_fails_is_closed_and_does_not_disturb_others",
            "tests/events/test_publisher.py::test_a_transport_that_breaks_stops_no_other",
        ),
    ),
    33: (
        "a change of state does not wait for any transport",
        ("tests/events/test_amqp.py::test_a_change_of_state_never_asks_the_broker",),
    ),
    34: (
        "an outage of a broker or an endpoint loses nothing",
        (
            "tests/events/test_amqp.py::test_an_outage_loses_nothing_and_keeps_the_order",
            "tests/events/webhooks/test_sender.py::test_after_an_outage_of_ten_minutes_all_of_it_comes_in_order",
        ),
    ),
    35: (
        "ten thousand events use one connection of AMQP",
        ("tests/events/test_amqp.py::test_ten_thousand_events_use_one_connection",),
    ),
    36: (
        "handlers run beside each other, each in order, and cannot lock each other up",
        (
            "tests/events/test_bus.py::test_handlers_run_beside_each_other",
            "tests/events/test_bus.py::test_everybody_gets_all_of_their_topics_once_and_in_order",
            "tests/events/test_bus.py::test_a_handler_that_publishes_does_not_wait_for_itself",
            "tests/events/test_bus.py::test_handlers_that_wait_for_each_other_are_freed_by_the_clock",
            "tests/events/test_bus.py::test_a_publisher_that_waits_is_told_who_was_too_slow",
        ),
    ),
    37: (
        "progress is told at most so often, and its last word always",
        (
            "tests/jobs/test_progress.py::test_it_is_told_at_most_once_a_second",
            "tests/jobs/test_progress.py::test_the_last_word_is_told_when_the_second_is_over",
            "tests/jobs/test_progress.py::test_the_last_word_is_told_before_the_end",
        ),
    ),
    38: (
        "log-tail joined is the file, byte for byte",
        (
            "tests/jobs/test_log_views.py::test_the_tail_has_exactly_three_keys_of_three_types",
            "tests/jobs/test_log_views.py::test_a_large_log_comes_in_pieces_that_are_not_finished_before_the_last",
        ),
    ),
    39: (
        "a log is pushed with byte offsets, resumes exactly, and says that it is finished after the last byte",
        (
            "tests/jobs/log_live/test_socket.py::test_whoever_is_cut_off_after_each_frame_goes_on_at_the_byte_and_has_all_of_it_once",
            "tests/jobs/log_live/test_socket.py::test_the_end_of_the_job_is_told_after_the_last_byte",
            "tests/jobs/log_live/test_socket.py::test_whoever_stops_reading_delays_nobody_and_loses_nothing",
        ),
    ),
    40: (
        "custom events with limits of size and pace",
        (
            "tests/jobs/test_sayings.py::test_what_a_test_says_is_told_with_its_job",
            "tests/jobs/test_sayings.py::test_more_than_so_many_a_second_are_dropped_and_counted",
            "tests/jobs/test_sayings.py::test_more_than_so_many_in_a_run_are_dropped_and_counted",
            "tests/jobs/test_sayings.py::test_what_is_too_long_is_dropped_and_counted",
            "tests/api/v1/test_sayings.py::test_who_speaks_too_fast_is_told_when_to_go_on",
            "tests/api/core4/test_conversation.py::test_others_who_are_interested_in_a_channel_hear_what_is_said_there",
            "tests/api/core4/test_conversation.py::test_whoever_says_too_much_is_not_passed_on",
        ),
    ),
    41: (
        "webhooks: signed, tried again for a day, disabled, logged, and not into inner networks",
        (
            "tests/events/webhooks/test_sender.py::test_the_signature_is_what_standard_webhooks_says",
            "tests/events/webhooks/test_sender.py::test_the_pauses_between_tries_grow",
            "tests/events/webhooks/test_sender.py::test_after_a_day_of_failing_it_is_disabled_and_says_why",
            "tests/events/webhooks/test_sender.py::test_an_endpoint_that_refuses_everything_is_disabled",
            "tests/events/webhooks/test_views.py::test_an_event_is_sent_again_from_the_log",
            "tests/events/webhooks/test_addresses.py::test_no_address_of_an_inner_network_is_reached",
            "tests/events/webhooks/test_client.py::test_a_redirect_into_an_inner_network_is_not_followed",
            "tests/events/webhooks/test_client.py::test_a_redirect_to_loopback_is_not_followed_from_outside",
            "tests/events/webhooks/test_client.py::test_a_name_that_moves_into_an_inner_network_is_not_followed_there",
        ),
    ),
    42: (
        "a ping, and a peer that is gone is noticed",
        (
            "tests/events/test_sse.py::test_a_ping_moves_on_the_place_of_a_listener_for_whom_nothing_happens",
            "tests/events/test_sse.py::test_a_listener_that_leaves_is_forgotten",
            "tests/lava_lite/test_vanished.py::test_pings_are_often_and_a_dead_peer_is_noticed_within_two_of_them",
            "tests/lava_lite/test_vanished.py::test_a_listener_that_vanished_is_let_go",
        ),
    ),
    43: (
        "the command line tails and waits through every cut",
        (
            "tests/lava_lite/client/test_events.py::test_each_event_is_a_line_and_a_cut_loses_none",
            "tests/lava_lite/client/test_events.py::test_a_state_that_is_there_already_ends_the_waiting_at_once",
            "tests/lava_lite/client/test_events.py::test_a_job_that_ends_without_it_has_an_exit_code_of_its_own",
            "tests/lava_lite/client/test_events.py::test_waiting_has_an_end",
        ),
    ),
    44: (
        "metrics for each transport, and red when one is stuck",
        (
            "tests/lava_lite/test_metrics.py::test_a_transport_that_is_down_shows_what_waits_for_it",
            "tests/lava_lite/test_metrics.py::test_live_listeners_are_counted_while_they_listen",
            "tests/lava_lite/test_probes.py::test_a_transport_that_hangs_turns_red_and_holds_up_no_other",
            "tests/lava_lite/test_probes.py::test_a_lab_whose_engine_hangs_is_not_ready_until_it_goes_on",
        ),
    ),
    45: (
        "AsyncAPI from the catalogue, and no change that breaks",
        (
            "tests/events/test_contract.py::test_the_document_has_a_message_for_each_type",
            "tests/events/test_compatibility.py::test_the_catalogue_breaks_nothing_of_the_last_release",
            "tests/events/test_compatibility.py::test_a_payload_that_the_last_release_recorded_is_still_as_the_schema_says",
        ),
    ),
    46: ("after chaos everybody has heard what was promised", (CHAOS,)),
}
