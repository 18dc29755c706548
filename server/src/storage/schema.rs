//! The tables as diesel sees them: `migrations/` in Rust.

diesel::table! {
    users (id) {
        id -> Text,
        full_name -> Text,
        email -> Text,
        country_code -> Text,
        phone -> Text,
        password_hash -> Text,
        security_version -> Integer,
        created_at -> Timestamp,
    }
}

diesel::table! {
    enrollments (user_id, provider) {
        user_id -> Text,
        provider -> Text,
        provider_user_id -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    devices (id) {
        id -> Text,
        user_id -> Text,
        token_hash -> Text,
        next_token_hash -> Nullable<Text>,
        first_login_id -> Text,
        login_id -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    hash_parameters (parameters) {
        parameters -> Text,
        users -> BigInt,
        first_used_at -> Timestamp,
    }
}

diesel::table! {
    approvals (id) {
        id -> Text,
        purpose -> Text,
        state -> Text,
        next_step -> Text,
        failure -> Nullable<Text>,
        sequence -> Integer,
        user_id -> Nullable<Text>,
        security_version -> Nullable<Integer>,
        phone -> Text,
        token_hash -> Text,
        readable_until -> Nullable<Timestamp>,
        match_number -> Nullable<Text>,
        push_slot -> Nullable<Text>,
        push_provider -> Nullable<Text>,
        push_user -> Nullable<Text>,
        push_handle -> Nullable<Text>,
        verdict -> Nullable<Text>,
        code_channel -> Nullable<Text>,
        code_provider -> Nullable<Text>,
        code_handle -> Nullable<Text>,
        tries_taken -> Integer,
        wrong_codes -> Integer,
        resend_available_at -> Timestamp,
        poll_count -> Integer,
        next_poll_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        settled_at -> Nullable<Timestamp>,
        changed_at -> Nullable<Timestamp>,
        device_id -> Nullable<Text>,
        network -> Nullable<Text>,
    }
}

diesel::table! {
    session_grants (approval_id) {
        approval_id -> Text,
        session_token_hash -> Text,
        device_token_hash -> Text,
        salt -> Text,
        delivery -> Text,
        browser -> Nullable<Text>,
    }
}

diesel::table! {
    pending_signups (approval_id) {
        approval_id -> Text,
        full_name -> Text,
        email -> Text,
        country_code -> Text,
        phone -> Text,
        password_hash -> Text,
    }
}

diesel::table! {
    used_codes (code) {
        code -> Text,
        used_at -> Timestamp,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        token_hash -> Text,
        user_id -> Text,
        login_id -> Nullable<Text>,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        confirmed_at -> Timestamp,
        amr -> Text,
        last_used_at -> Timestamp,
        browser -> Nullable<Text>,
        network -> Nullable<Text>,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    confirmations (approval_id) {
        approval_id -> Text,
        session_id -> Text,
        operation -> Text,
        usable_until -> Nullable<Timestamp>,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    account_events (id) {
        id -> Text,
        user_id -> Text,
        kind -> Text,
        at -> Timestamp,
        approval_id -> Nullable<Text>,
        session_id -> Nullable<Text>,
        network -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    failed_attempts (email_hash, network, hour) {
        email_hash -> Text,
        network -> Text,
        hour -> Timestamp,
        count -> Integer,
    }
}

diesel::table! {
    rate_limits (key) {
        key -> Text,
        full_at -> BigInt,
        free_at -> BigInt,
    }
}

diesel::table! {
    sms_conversions (calling_code, hour) {
        calling_code -> Text,
        hour -> Timestamp,
        sent -> Integer,
        confirmed -> Integer,
    }
}

diesel::table! {
    network_sms_conversions (calling_code, network, hour) {
        calling_code -> Text,
        network -> Text,
        hour -> Timestamp,
        sent -> Integer,
        confirmed -> Integer,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        next_at -> Timestamp,
        interval_milliseconds -> Integer,
    }
}

diesel::table! {
    keys (name) {
        name -> Text,
        secret -> Text,
    }
}

diesel::table! {
    write_probes (slot) {
        slot -> Integer,
        count -> BigInt,
    }
}

diesel::joinable!(devices -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sessions -> approvals (login_id));
diesel::joinable!(session_grants -> approvals (approval_id));
diesel::joinable!(confirmations -> sessions (session_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    enrollments,
    devices,
    hash_parameters,
    approvals,
    session_grants,
    pending_signups,
    used_codes,
    sessions,
    confirmations,
    account_events,
    failed_attempts,
    rate_limits,
    sms_conversions,
    network_sms_conversions,
    leases,
    keys,
    write_probes
);
