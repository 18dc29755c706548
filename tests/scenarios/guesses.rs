//! One request is one guess, however it is written.

use harness::{Database, Person, World, on_both_databases};
use serde_json::{Value, json};

const GUESSES: usize = 500;

fn guess(person: &Person, number: usize) -> String {
    format!(
        "guess{number}: login(input: {{email: \"{}\", password: \"guess number {number}\"}}) {{ loginToken errors {{ code }} }} ",
        person.email
    )
}

/// Documents that guess five hundred times.
fn documents(person: &Person) -> Vec<Value> {
    let each = |one: &dyn Fn(usize) -> String| (0..GUESSES).map(one).collect::<Vec<_>>().concat();
    let aliased = format!("mutation {{ {} }}", each(&|number| guess(person, number)));
    let spread = format!(
        "mutation {{ {} }} fragment f on Mutation {{ {} }}",
        "...f ".repeat(GUESSES),
        guess(person, 0)
    );
    let fragments = format!(
        "mutation {{ {} }} {}",
        each(&|number| format!("...f{number} ")),
        each(&|number| format!("fragment f{number} on Mutation {{ {} }} ", guess(person, number)))
    );
    let few = format!("mutation {{ {} {} }}", guess(person, 0), guess(person, 1));
    let mixed = format!(
        "mutation {{ {} verifyToken(input: {{loginToken: \"x\", code: \"123456\"}}) {{ errors {{ code }} }} }}",
        guess(person, 0)
    );
    let mut documents: Vec<_> =
        [aliased, spread, fragments, few, mixed].map(|query| json!({ "query": query })).into();
    let one = json!({ "query": format!("mutation {{ {} }}", guess(person, 0)) });
    documents.push(Value::from(vec![one; GUESSES]));
    documents
}

async fn of_five_hundred_guesses_in_one_request_none_is_made(database: Database) {
    let world = World::builder(database).spawned().start().await;
    let person = Person::new();
    world.sign_up(&person).await;
    let hashed = || world.log().matches("work on a password begins").count();
    let post = async |body: &Value| {
        let request = world.http.post(format!("{}/graphql", world.service_address())).json(body);
        request.send().await.unwrap().text().await.unwrap()
    };
    let before = hashed();
    for document in documents(&person) {
        let answer = post(&document).await;
        assert!(answer.starts_with(r#"{"errors":[{"message":"#), "{answer}");
    }
    assert_eq!(hashed(), before);
    // One is.
    let one = json!({ "query": format!("mutation {{ {} }}", guess(&person, 0)) });
    assert!(post(&one).await.contains("WRONG_CREDENTIALS"));
    assert_eq!(hashed(), before + 1);
}

on_both_databases! {
    of_five_hundred_guesses_in_one_request_none_is_made,
}
