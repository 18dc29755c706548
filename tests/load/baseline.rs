//! What the server is compared with: the least that the same stack can do. Each is a process of its own, on the server's
//! cores.
//!
//! A field without anything behind it is what GraphQL over HTTP costs. One prepared query a request is what it costs to know
//! who is asking, without a cache: the same join as the server's, and no GraphQL.

use std::{io::Write as _, net::SocketAddr};

use anyhow::Context as _;
use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::post,
};
use chrono::{NaiveDateTime, Utc};
use countersign::model::SessionToken;
use diesel::{ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SqliteConnection};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// As many connections as the server has by default.
const POSTGRES_CONNECTIONS: usize = 16;
const SQLITE_CONNECTIONS: usize = 4;

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        token_hash -> Text,
        user_id -> Text,
        expires_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(sessions, users);

/// Somebody, as a field without a database knows them.
#[derive(SimpleObject)]
struct User {
    id: &'static str,
    email: &'static str,
}

struct Query;

#[Object]
impl Query {
    async fn me(&self) -> User {
        User { id: "01990000-0000-7000-8000-000000000000", email: "somebody@example.com" }
    }
}

type BareSchema = Schema<Query, EmptyMutation, EmptySubscription>;

#[derive(Clone)]
enum Pools {
    Sqlite(Pool<SyncConnectionWrapper<SqliteConnection>>),
    Postgres(Pool<AsyncPgConnection>),
}

/// Serves a field with nothing behind it, until it is killed.
pub(crate) async fn serve_bare_field() -> anyhow::Result<()> {
    let schema: BareSchema = Schema::new(Query, EmptyMutation, EmptySubscription);
    serve(Router::new().route("/graphql", post(bare_field)).with_state(schema)).await
}

async fn bare_field(
    State(schema): State<BareSchema>,
    Json(request): Json<async_graphql::Request>,
) -> Json<async_graphql::Response> {
    Json(schema.execute(request).await)
}

/// Serves one prepared query a request, until it is killed.
pub(crate) async fn serve_one_query(database_url: &str) -> anyhow::Result<()> {
    let pools = if let Some(path) = database_url.strip_prefix("sqlite:") {
        let manager = AsyncDieselConnectionManager::new_with_config(path, recycled_fast());
        Pools::Sqlite(Pool::builder(manager).max_size(SQLITE_CONNECTIONS).build()?)
    } else {
        let manager = AsyncDieselConnectionManager::new_with_config(database_url, recycled_fast());
        Pools::Postgres(Pool::builder(manager).max_size(POSTGRES_CONNECTIONS).build()?)
    };
    serve(Router::new().route("/graphql", post(one_query)).with_state(pools)).await
}

fn recycled_fast<Connection>() -> ManagerConfig<Connection>
where
    Connection: diesel_async::AsyncConnection + 'static,
{
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config
}

async fn one_query(State(pools): State<Pools>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = bearer.trim_start_matches("Bearer ");
    let token = SessionToken::parse(token).map_err(|_| StatusCode::UNAUTHORIZED)?;
    let found = find(&pools, token.hash().as_str()).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let (id, email, _) = found.ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!({ "data": { "me": { "id": id, "email": email } } })))
}

type Found = (String, String, NaiveDateTime);

async fn find(pools: &Pools, token_hash: &str) -> anyhow::Result<Option<Found>> {
    // Not for the whole file: it shadows `execute` of others.
    use diesel_async::RunQueryDsl as _;
    #[expect(clippy::disallowed_methods, reason = "this is nobody's clock but its own")]
    let now = Utc::now().naive_utc();
    let query = sessions::table
        .inner_join(users::table)
        .filter(sessions::token_hash.eq(token_hash))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .select((users::id, users::email, sessions::expires_at));
    Ok(match pools {
        Pools::Sqlite(pool) => query.first(&mut *pool.get().await?).await.optional()?,
        Pools::Postgres(pool) => query.first(&mut *pool.get().await?).await.optional()?,
    })
}

async fn serve(router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "service http://{address}").context("standard output is closed")?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // As the server does.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}
