ALTER TABLE webhook_events
    DROP CONSTRAINT webhook_events_tenant_is_1_to_64_of_letters_digits_and_marks,
    ADD CONSTRAINT webhook_events_tenant_is_1_to_64_of_letters_digits_and_marks
        CHECK (routed_at IS NOT NULL OR tenant ~ '^[A-Za-z0-9_.-]{1,64}$') NOT VALID,
    DROP CONSTRAINT webhook_events_id_is_1_to_255_visible_ascii,
    ADD CONSTRAINT webhook_events_id_is_1_to_255_visible_ascii
        CHECK (routed_at IS NOT NULL OR id ~ '^[!-~]{1,255}$') NOT VALID,
    DROP CONSTRAINT webhook_events_event_type_is_1_to_255_of_letters_digits_marks,
    ADD CONSTRAINT webhook_events_event_type_is_1_to_255_of_letters_digits_marks
        CHECK (routed_at IS NOT NULL OR event_type ~ '^[A-Za-z0-9_./-]{1,255}$') NOT VALID;
