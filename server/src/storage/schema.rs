//! The tables as diesel sees them: `migrations/` in Rust.

diesel::table! {
    users (id) {
        id -> Text,
        full_name -> Text,
        email -> Text,
        country_code -> Text,
        phone -> Text,
        password_hash -> Text,
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
    logins (id) {
        id -> Text,
        purpose -> Text,
        state -> Text,
        next_step -> Text,
        failure -> Nullable<Text>,
        sequence -> Integer,
        user_id -> Nullable<Text>,
        phone -> Text,
        login_token_hash -> Text,
        session_token_hash -> Text,
        session_salt -> Nullable<Text>,
        readable_until -> Timestamp,
        match_number -> Nullable<Text>,
        provider -> Text,
        provider_user_id -> Text,
        approval_request_id -> Nullable<Text>,
        verdict -> Nullable<Text>,
        code_channel -> Nullable<Text>,
        tries_taken -> Integer,
        wrong_codes -> Integer,
        resend_available_at -> Timestamp,
        asks -> Integer,
        ask_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        settled_at -> Nullable<Timestamp>,
        changed_at -> Timestamp,
        device_id -> Nullable<Text>,
        device_token_hash -> Nullable<Text>,
        network -> Nullable<Text>,
        push_place -> Nullable<Text>,
        session_delivery -> Text,
    }
}

diesel::table! {
    pending_signups (login_id) {
        login_id -> Text,
        full_name -> Text,
        email -> Text,
        country_code -> Text,
        phone -> Text,
        password_hash -> Text,
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
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    turns (name) {
        name -> Text,
        next_at -> Timestamp,
        interval_milliseconds -> Integer,
    }
}

diesel::table! {
    budgets (key) {
        key -> Text,
        full_at -> BigInt,
        free_at -> BigInt,
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
    code_returns (calling_code, hour) {
        calling_code -> Text,
        hour -> Timestamp,
        sent -> Integer,
        confirmed -> Integer,
    }
}

diesel::table! {
    network_code_returns (calling_code, network, hour) {
        calling_code -> Text,
        network -> Text,
        hour -> Timestamp,
        sent -> Integer,
        confirmed -> Integer,
    }
}

diesel::table! {
    write_probes (slot) {
        slot -> Integer,
        count -> BigInt,
    }
}

diesel::table! {
    keys (name) {
        name -> Text,
        secret -> Text,
    }
}

diesel::table! {
    hash_parameters (parameters) {
        parameters -> Text,
        users -> BigInt,
        first_used_at -> Timestamp,
    }
}

diesel::joinable!(devices -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sessions -> logins (login_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    enrollments,
    logins,
    pending_signups,
    sessions,
    turns,
    budgets,
    devices,
    code_returns,
    network_code_returns,
    write_probes,
    keys,
    hash_parameters
);
