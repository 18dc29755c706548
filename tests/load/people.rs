//! People who have signed up, and logins that they begin.

use anyhow::{Context, ensure};
use countersign_client::{Begun, LoginState, LoginStep, Outcome, SessionToken};
use futures_util::{StreamExt, TryStreamExt, stream};
use harness::{Callback, Person};

use crate::stage::Stage;

/// How many sign up or log in at once.
const AT_ONCE: usize = 32;

/// Somebody with an account.
pub(crate) struct SignedUp {
    pub(crate) person: Person,
    pub(crate) authy_id: u64,
    pub(crate) bearer: SessionToken,
    pub(crate) user_id: String,
}

/// A login that waits for its phone, and whose it is.
pub(crate) struct Open<'a> {
    pub(crate) of: &'a SignedUp,
    pub(crate) begun: Begun,
}

/// Has so many people sign up, and approves.
pub(crate) async fn sign_up(stage: &Stage, count: usize) -> anyhow::Result<Vec<SignedUp>> {
    harness::report(&format!("  {count} people sign up …"));
    stream::iter(0..count).map(|_| sign_one_up(stage)).buffer_unordered(AT_ONCE).try_collect().await
}

async fn sign_one_up(stage: &Stage) -> anyhow::Result<SignedUp> {
    let person = Person::new();
    let begun = stage.client.signup(person.signup()).await?.into_result()?;
    let device = stage.phone.find_by_email(&person.email).await?.context("no phone was registered")?;
    let number = begun.status.match_number.as_deref().context("no match number")?;
    let push = device.pending_request(number).context("no push")?;
    stage.phone.approve(&push.uuid).await?;
    let Outcome::SignedIn(session) = stage.client.wait_for_phone(&begun.login_token).await? else {
        anyhow::bail!("a signup was not approved");
    };
    ensure!(session.user.email == person.email, "a session of somebody else");
    let (bearer, user_id) = (session.token, session.user.id);
    Ok(SignedUp { person, authy_id: device.authy_id, bearer, user_id })
}

/// Has these people, in turn, begin so many logins.
pub(crate) async fn log_in<'a>(
    stage: &Stage,
    people: &'a [SignedUp],
    count: usize,
) -> anyhow::Result<Vec<Open<'a>>> {
    harness::report(&format!("  {count} logins begin …"));
    stream::iter((0..count).map(|number| &people[number % people.len()]))
        .map(|of| async move { Ok(Open { of, begun: begin(stage, of).await? }) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// One login, from the password to the push that is out.
pub(crate) async fn begin(stage: &Stage, of: &SignedUp) -> anyhow::Result<Begun> {
    let begun = stage.client.login(of.person.login()).await?.into_result()?;
    let status = &begun.status;
    let is_out = status.state == LoginState::Pending && status.next_step == LoginStep::ApproveOnPhone;
    ensure!(is_out, "a login without a push: {status:?}");
    Ok(begun)
}

impl Open<'_> {
    /// What the provider says when the phone has approved this login.
    pub(crate) async fn approval(&self, stage: &Stage) -> anyhow::Result<Callback> {
        let device = stage.phone.device(self.of.authy_id).await?.context("no such phone")?;
        let number = self.begun.status.match_number.as_deref().context("no match number")?;
        let push = device.pending_request(number).context("no push")?;
        Ok(Callback::of_answer(stage.signed_with(), &push.uuid, self.of.authy_id, "approved"))
    }
}
