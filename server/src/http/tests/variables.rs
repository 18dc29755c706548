//! Variables that do not fit: refused before anything runs, whatever a request comes over.

use serde_json::{Value, json};

use super::harness::{Server, in_time};

/// `held` runs first and says that it has begun.
const PAINT: &str = "mutation($input: Paint!) { held paint(input: $input) }";

/// Requests that must be refused as a whole.
fn refused() -> Vec<(&'static str, Value, &'static str)> {
    let skip = "mutation($skip: Boolean!) { held panics @skip(if: $skip) }";
    let parts =
        "mutation($colour: Colour!, $coats: Int!) { held paint(input: {colour: $colour, coats: $coats}) }";
    let default = "mutation($coats: Int = 1) { held paint(input: {colour: RED, coats: $coats}) }";
    let nullable = "mutation($coats: Int) { held paint(input: {colour: RED, coats: $coats}) }";
    let hidden = "mutation($note: String) { held paint(input: {colour: GREEN, coats: 1, note: $note}) }";
    let other = "mutation($note: Int) { held paint(input: {colour: RED, coats: 1, note: $note}) }";
    vec![
        (skip, json!({}), "missing"),
        (skip, json!({"skip": null}), "null"),
        (skip, json!({"skip": "true"}), "a text for a Boolean"),
        (PAINT, json!({}), "missing"),
        (PAINT, json!({"input": null}), "null"),
        (PAINT, json!({"input": "RED"}), "a text for an object"),
        (PAINT, json!({"input": {"colour": "RED"}}), "a field is missing"),
        (PAINT, json!({"input": {"colour": "RED", "coats": null}}), "a field is null"),
        (PAINT, json!({"input": {"colour": "RED", "coats": 1.5}}), "a fraction for an Int"),
        (PAINT, json!({"input": {"colour": "RED", "coats": 1_u64 << 31}}), "past an Int"),
        (PAINT, json!({"input": {"colour": "RED", "coats": 1, "note": 1}}), "a number for a text"),
        (PAINT, json!({"input": {"colour": "planted", "coats": 1}}), "an unknown enum value"),
        (PAINT, json!({"input": {"colour": 1, "coats": 1}}), "a number for an enum"),
        (PAINT, json!({"input": {"colour": "RED", "coats": 1, "more": 1}}), "an unknown field"),
        (parts, json!({"colour": "RED"}), "missing inside of a literal"),
        (parts, json!({"colour": "planted", "coats": 1}), "an unknown enum value inside of a literal"),
        (parts, json!({"colour": "RED", "coats": "1"}), "a text for an Int inside of a literal"),
        (default, json!({"coats": null}), "a null in place of a default"),
        (nullable, json!({"coats": 1}), "a nullable variable where null is not taken"),
        (hidden, json!({}), "an unknown enum value beside a variable that is absent"),
        (other, json!({"note": 1}), "a variable of another type"),
    ]
}

fn assert_refused(errors: &Value, case: &str) {
    assert_eq!(errors[0]["extensions"]["code"], "BAD_REQUEST", "{case}: {errors}");
    assert!(!errors.to_string().contains("planted"), "{case}: {errors}");
}

#[tokio::test]
async fn no_field_runs_where_a_variable_does_not_fit() {
    let server = Server::start().await;
    for (query, variables, case) in refused() {
        let answer = server.post(&json!({"query": query, "variables": variables})).await;
        let answer: Value = in_time(answer.json()).await.unwrap();
        assert_refused(&answer["errors"], case);
        assert_eq!(answer.get("data"), None, "{case}");
        assert_eq!(server.probes.started.given(), 0, "{case}");
    }
}

/// The same document, again: nothing that it passed with before is taken for granted.
#[tokio::test]
async fn a_mutation_that_ran_with_its_variable_does_not_run_without_it() {
    let server = Server::start().await;
    let query = "mutation($input: Paint!) { paint(input: $input) held }";
    for _ in 0..2 {
        server.probes.release.give();
        let fitting = json!({"query": query, "variables": {"input": {"colour": "RED", "coats": 1}}});
        let answer: Value = in_time(server.post(&fitting).await.json()).await.unwrap();
        assert_eq!(answer, json!({"data": {"paint": 1, "held": true}}));
        server.probes.started.wait().await;
        for variables in [json!({}), json!({"input": null}), json!({"input": {"colour": "RED"}})] {
            let answer = server.post(&json!({"query": query, "variables": variables})).await;
            let answer: Value = in_time(answer.json()).await.unwrap();
            assert_refused(&answer["errors"], &variables.to_string());
            assert_eq!(server.probes.started.given(), 0, "{variables}");
        }
    }
}

#[tokio::test]
async fn no_field_runs_on_a_socket_where_a_variable_does_not_fit() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for (query, variables, case) in refused() {
        let payload = json!({"query": query, "variables": variables});
        socket.say(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        let told = socket.hear().await;
        assert_eq!(told["type"], "error", "{case}: {told}");
        assert_refused(&told["payload"], case);
        assert_eq!(server.probes.started.given(), 0, "{case}");
    }
}

#[tokio::test]
async fn variables_that_fit_run_however_they_are_written() {
    let server = Server::start().await;
    let default = "mutation($coats: Int = 3) { paint(input: {colour: RED, coats: $coats}) }";
    let defaults = "mutation($input: Paint = {colour: RED, coats: 4}) { paint(input: $input) }";
    let note = "mutation($note: String = \"a\") { paint(input: {colour: RED, coats: 5, note: $note}) }";
    let paint = "mutation($input: Paint!) { paint(input: $input) }";
    for (query, variables, painted) in [
        (paint, json!({"input": {"colour": "RED", "coats": 1}}), 1),
        (paint, json!({"input": {"colour": "BLUE", "coats": 1, "note": null}, "unused": "x"}), 2),
        (default, json!({}), 3),
        (default, json!({"coats": 2}), 2),
        (defaults, json!({}), 4),
        (note, json!({}), 10),
        (note, json!({"note": null}), 5),
        (note, json!({}), 10),
    ] {
        let answer = server.post(&json!({"query": query, "variables": variables})).await;
        let answer: Value = in_time(answer.json()).await.unwrap();
        assert_eq!(answer, json!({"data": {"paint": painted}}), "{query} {variables}");
    }
}
