//! One suite for every [`ModelAccessor`](xos_model_client::ModelAccessor): the same checks on each way to a core.
//!
//! A check asks [`abilities`](xos_model_client::ModelAccessor::abilities) what must hold. What a client through the wire
//! can know or say less of is in one table, [`subject::Less`]; everything else holds for all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
#[path = "../../../xos-core/tests/support/postgres.rs"]
mod postgres;
mod subject;
mod tools;

/// The list of all checks, given to another macro.
macro_rules! all_checks {
    ($then:ident $($with:tt)*) => {
        $then! { $($with)*;
            creating::an_object_has_the_defaults,
            creating::what_is_given_is_answered_read_and_listed,
            creating::ids_are_never_used_again,
            creating::a_required_text_must_not_be_blank,
            creating::a_required_value_must_be_there,
            creating::an_optional_text_may_be_empty_or_absent,
            creating::a_text_has_a_maximum_length,
            creating::a_text_with_choices_is_one_of_them,
            creating::a_unique_value_is_there_once,
            creating::a_group_of_values_is_unique_together,
            creating::all_faults_are_told_together,
            creating::an_address_and_a_url_are_checked_and_never_told,
            creating::an_integer_fits_its_field,
            creating::a_value_of_another_kind_is_refused,
            creating::a_stripped_text_is_trimmed,
            creating::feedback_fields_may_be_given,
            creating::the_leaf_is_the_creating_model_for_ever,
            creating::an_abstract_model_has_no_objects_of_its_own,
            creating::rules_of_the_core_models_hold,
            creating::a_default_may_be_the_first_object,
            setting::a_client_moves_updated_even_without_a_change,
            setting::a_synchronizer_does_not_move_updated,
            setting::a_save_that_asks_for_it_moves_updated,
            setting::updated_cannot_be_set,
            setting::an_important_change_by_a_step_calls_for_policies,
            setting::an_important_change_by_a_policy_calls_for_steps,
            setting::only_what_really_changes_is_important,
            setting::a_client_may_not_change_feedback_fields,
            setting::no_sync_and_lazy_blocked_objects_are_never_dirty,
            setting::enacted_is_compared_bit_for_bit,
            setting::times_are_kept_bit_for_bit,
            setting::only_the_named_fields_are_stored,
            setting::the_answer_is_what_is_stored,
            setting::base_and_leaf_are_one_object,
            setting::a_write_aimed_at_nothing_says_so,
            setting::what_the_core_gives_may_be_sent_back_but_not_changed,
            setting::a_field_is_set_to_nothing_or_the_error_says_why_not,
            setting::the_last_of_two_values_for_a_field_counts,
            setting::a_guard_is_checked_or_refused_never_ignored,
            setting::each_write_of_a_call_has_its_own_answer,
            linking::a_link_leads_to_a_live_object_of_its_model,
            linking::a_list_is_made_exactly_what_is_given,
            linking::the_same_list_again_changes_nothing,
            linking::a_list_that_changes_moves_updated_even_for_a_synchronizer,
            linking::an_unknown_member_is_refused,
            linking::a_deleted_member_leaves_the_list,
            linking::an_object_without_owner_gets_the_first_of_its_class,
            linking::an_owner_of_another_class_is_replaced,
            linking::without_an_eligible_owner_the_object_is_refused,
            linking::a_deleted_link_is_counted_by_its_provider,
            deleting::a_deletion_unsets_enacted_and_policed_and_leaves_updated,
            deleting::a_deleted_object_is_found_by_get_and_the_deleted_kinds_only,
            deleting::deleting_again_changes_nothing_and_a_missing_object_is_not_found,
            deleting::a_write_protected_object_stays,
            deleting::a_deletion_takes_along_all_that_links_to_the_object,
            deleting::what_was_never_claimed_is_purged,
            deleting::what_is_claimed_stays_until_it_is_let_go,
            deleting::an_object_waits_for_what_links_to_it,
            deleting::a_circle_of_links_is_purged,
            deleting::a_deleted_object_can_be_changed_and_brought_back,
            deleting::a_no_sync_object_still_calls_for_delete_record,
            finding::every_operator_compares_as_it_says,
            finding::nothing_fulfils_no_condition_and_each_inversion,
            finding::all_conditions_must_hold,
            finding::a_path_leads_over_links,
            finding::a_question_that_means_nothing_is_an_error_that_says_why,
            finding::a_shape_may_ask_for_a_few_fields_in_any_order,
            finding::pages_follow_each_other_by_id_over_a_family,
            finding::kinds_and_conditions_go_together,
            finding::patterns_are_taken_literally,
            finding::a_leaf_is_asked_for_by_its_name,
            getting::objects_come_in_the_order_asked,
            getting::deleted_objects_are_found_and_others_models_are_not,
            getting::an_unknown_field_or_model_is_named,
            getting::a_record_that_does_not_convert_is_alone,
            feeding::a_feed_tells_who_changed_what,
            feeding::a_list_says_where_its_feed_begins,
            feeding::a_feed_tells_of_the_families_asked_for,
            feeding::an_unknown_cursor_is_a_gap,
            feeding::a_failed_write_is_told_to_nobody,
            feeding::a_deletion_tells_of_all_it_reaches,
            loading::models_are_loaded_once,
            loading::the_status_tells_what_is_loaded,
            loading::a_model_grows_on_existing_objects,
            loading::what_would_lose_data_is_refused_and_nothing_is_half_done,
            loading::models_that_break_a_rule_are_refused,
            loading::another_services_model_is_not_taken_over,
            loading::the_version_of_the_core_is_checked,
            loading::core_models_may_come_along,
            loading::unloading_needs_a_clean_service,
            loading::unloading_cleans_up_when_asked_to,
            loading::a_purge_takes_the_objects_along,
            loading::what_others_are_built_on_stays,
            loading::an_existing_client_sees_new_models_and_goes_on_with_the_old,
            texts::odd_texts_come_back_as_they_were,
            texts::texts_outside_of_ascii_come_back_as_they_were,
            texts::a_text_with_nul_is_refused,
            texts::a_long_text_comes_back_whole,
            crowding::a_large_batch_has_an_answer_for_each,
            crowding::writers_of_different_fields_lose_no_update,
            crowding::one_of_many_gets_a_unique_name,
            crowding::readers_see_whole_objects_while_others_write,
            crowding::objects_are_purged_while_others_are_made,
        }
    };
}

/// Makes each check a test of the module that names a way to a core.
macro_rules! conforms {
    ($start:path; $($topic:ident::$check:ident,)*) => {
        $(
            #[tokio::test]
            async fn $check() {
                // Only what this machine has can be checked.
                let subject: Option<crate::subject::Subject> = $start().await.into();
                if let Some(subject) = subject {
                    crate::checks::$topic::$check(&subject).await;
                }
            }
        )*
    };
}

/// The embedded core in this process, in memory.
mod memory {
    all_checks!(conforms crate::subject::memory);
}

/// The embedded core in this process, on a file.
mod file {
    all_checks!(conforms crate::subject::file);
}

/// A client of our server, in the clear.
mod plain {
    all_checks!(conforms crate::subject::plain);
}

/// A client of our server, with TLS.
mod tls {
    all_checks!(conforms crate::subject::tls);
}

/// A client of our server, on a Unix socket.
mod socket {
    all_checks!(conforms crate::subject::socket);
}

/// The embedded core in this process, on PostgreSQL.
mod on_postgres {
    all_checks!(conforms crate::subject::on_postgres);
}

/// A client of our server, in the clear, of a core on PostgreSQL.
mod plain_on_postgres {
    all_checks!(conforms crate::subject::plain_on_postgres);
}
