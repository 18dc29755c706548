//! Users: who I am.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::signed_in;
use crate::model;

/// A person's account.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct User {
    #[graphql(skip)]
    pub(super) user: model::User,
    /// What other services may know the person by: it never changes, is nobody else's, and is no secret.
    id: ID,
    /// What the person calls themselves.
    full_name: String,
    /// The email address they log in with, in lower case, its domain in the letters of its script (`ada@bücher.example`).
    email: String,
    /// The calling code of their phone, digits only: `1`, `44`.
    country_code: String,
    /// The last two digits of their phone behind dots, to be recognised by its owner: `•••• 23`.
    masked_phone: String,
    /// When the account came to be: when the phone was proven.
    created_at: DateTime<Utc>,
}

impl From<&model::User> for User {
    fn from(user: &model::User) -> Self {
        Self {
            user: user.clone(),
            id: user.id.to_string().into(),
            full_name: user.full_name.as_str().to_owned(),
            email: user.email.to_unicode(),
            country_code: user.phone.country_code().digits().to_owned(),
            masked_phone: user.phone.masked(),
            created_at: user.created_at,
        }
    }
}

/// Who I am.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// The user whose session the request comes with: its token stands in the `Authorization: Bearer …` header, or in a cookie
    /// where the service keeps it there. Null when nobody is signed in, which is never an error.
    async fn me(&self, context: &Context<'_>) -> Option<User> {
        signed_in(context).map(|signed_in| User::from(&signed_in.user))
    }
}
