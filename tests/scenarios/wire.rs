//! What the typed client never does, over plain HTTP: what proxies, tools and attackers send.

use harness::{Database, World, on_both_databases};
use reqwest::{Method, RequestBuilder, Response, header};
use serde_json::{Value, json};

fn request(world: &World, method: Method, path: &str) -> RequestBuilder {
    world.http.request(method, format!("{}{path}", world.service_address()))
}

async fn post(world: &World, body: &Value) -> Response {
    request(world, Method::POST, "/graphql").json(body).send().await.unwrap()
}

/// The code of the one error of an answer.
async fn code(response: Response) -> String {
    let answer: Value = response.json().await.unwrap();
    let [error] = &answer["errors"].as_array().unwrap()[..] else { panic!("{answer}") };
    error["extensions"]["code"].as_str().unwrap().to_owned()
}

async fn no_answer_may_be_kept_and_each_has_an_id(database: Database) {
    let world = World::new(database).await;
    let answers = [
        post(&world, &json!({ "query": "{ me { id } }" })).await,
        request(&world, Method::GET, "/health/live").send().await.unwrap(),
        request(&world, Method::GET, "/nothing").send().await.unwrap(),
        request(&world, Method::POST, "/authy/callback").send().await.unwrap(),
    ];
    let statuses = answers.each_ref().map(|answer| answer.status().as_u16());
    assert_eq!(statuses, [200, 200, 404, 401]);
    for answer in answers {
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers()["x-request-id"].len(), 32);
    }
}

async fn a_token_in_a_url_is_refused_and_so_is_a_mutation(database: Database) {
    let world = World::new(database).await;
    let get = async |query: &str| {
        request(&world, Method::GET, "/graphql").query(&[("query", query)]).send().await.unwrap()
    };
    assert_eq!(get("{ me { id } }").await.status(), 200);
    let token = "A".repeat(43);
    let status = get(&format!("{{ loginStatus(loginToken: \"{token}\") {{ state }} }}")).await;
    let text = status.text().await.unwrap();
    assert!(text.contains("METHOD_NOT_ALLOWED") && !text.contains(&token), "{text}");
    let mutation = get("mutation { logout { loggedOut } }").await;
    assert_eq!(
        (mutation.status().as_u16(), &mutation.headers()[header::ALLOW]),
        (405, &"POST".parse().unwrap())
    );
}

async fn what_is_no_request_is_told_so(database: Database) {
    let world = World::new(database).await;
    let send = async |kind: &str, body: String| {
        let request = request(&world, Method::POST, "/graphql").header(header::CONTENT_TYPE, kind);
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let json = "application/json";
    let query = json!({ "query": "{ me { id } }" }).to_string();
    assert_eq!(send(json, query.clone()).await, 200);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(send(kind, query.clone()).await, 415, "{kind}");
    }
    for body in ["", "{", "null", "[]", &format!("[{query}]"), "{\"query\": 1}", "{}"] {
        assert_eq!(send(json, body.to_owned()).await, 400, "{body}");
    }
    assert_eq!(send(json, format!("{{\"query\":\"{}\"}}", "x".repeat(100_000))).await, 413);
}

async fn a_document_that_is_wrong_is_told_so_in_few_words(database: Database) {
    let world = World::new(database).await;
    let many = format!("{{ {} }}", (0..500).map(|number| format!("a{number} ")).collect::<Vec<_>>().concat());
    for query in ["{ nothing }", "{ me { id ", "query { me }", &"{".repeat(10_000), &many] {
        let answer = post(&world, &json!({ "query": query })).await;
        let text = answer.text().await.unwrap();
        assert!(text.contains("BAD_REQUEST"), "{text}");
        assert!(text.len() < 16_384, "{} bytes", text.len());
    }
}

async fn a_small_document_that_grows_without_end_is_refused(database: Database) {
    let world = World::new(database).await;
    let level = |level: usize| {
        format!("fragment a{level} on Query {{ {} }} ", format!("...a{} ", level + 1).repeat(50))
    };
    let levels = (0..6).map(level).collect::<Vec<_>>().concat();
    let bomb = format!("{{ ...a0 }} {levels} fragment a6 on Query {{ me {{ id }} }}");
    assert_eq!(code(post(&world, &json!({ "query": bomb })).await).await, "BAD_REQUEST");
    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    let answer = post(&world, &json!({ "query": circle })).await.text().await.unwrap();
    assert!(answer.contains("BAD_REQUEST"), "{answer}");
}

async fn the_media_type_is_what_the_client_prefers(database: Database) {
    let world = World::new(database).await;
    let ask = async |accept: &str, query: &str| {
        let request = request(&world, Method::POST, "/graphql").header(header::ACCEPT, accept);
        let answer = request.json(&json!({ "query": query })).send().await.unwrap();
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind.split(';').next().unwrap().to_owned())
    };
    let (plain, modern) = ("application/json".to_owned(), "application/graphql-response+json".to_owned());
    assert_eq!(ask("*/*", "{ me { id } }").await, (200, plain.clone()));
    assert_eq!(ask(&plain, "{ nothing }").await, (200, plain));
    assert_eq!(ask(&modern, "{ me { id } }").await, (200, modern.clone()));
    assert_eq!(ask(&modern, "{ nothing }").await, (400, modern));
}

async fn tools_find_the_schema_and_browsers_a_page(database: Database) {
    let world = World::new(database).await;
    // What GraphiQL and code generators send.
    let kind = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let query = format!(
        "{{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }} types {{ kind name description \
         fields(includeDeprecated: true) {{ name description args {{ name description type {{ {kind} }} defaultValue }} \
         type {{ {kind} }} isDeprecated deprecationReason }} inputFields {{ name description type {{ {kind} }} defaultValue }} \
         interfaces {{ {kind} }} enumValues(includeDeprecated: true) {{ name description }} possibleTypes {{ {kind} }} }} \
         directives {{ name description locations args {{ name type {{ {kind} }} }} }} }} }}"
    );
    let answer: Value = post(&world, &json!({ "query": query })).await.json().await.unwrap();
    assert_eq!(answer["data"]["__schema"]["subscriptionType"]["name"], "Subscription", "{answer}");
    let page =
        request(&world, Method::GET, "/graphql").header(header::ACCEPT, "text/html").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("GraphiQL"));
}

/// Opens a socket, or does not, for a page of an origin behind a proxy. It is open as long as the answer is held.
async fn open_socket(world: &World, origin: &str, client: &str) -> Response {
    let request = request(world, Method::GET, "/graphql")
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
        .header(header::SEC_WEBSOCKET_PROTOCOL, "graphql-transport-ws")
        .header(header::ORIGIN, origin)
        .header("x-forwarded-for", client);
    request.send().await.unwrap()
}

async fn a_service_tells_nothing_of_its_schema_and_heeds_who_may_talk_to_it(database: Database) {
    let app = "https://app.example.com";
    let world = World::builder(database)
        .split()
        .set("ALLOWED_ORIGINS", app)
        .set("TRUSTED_PROXIES", "127.0.0.0/8")
        .set("SOCKETS_PER_ADDRESS", "1")
        .start()
        .await;
    let schema = post(&world, &json!({ "query": "{ __schema { types { name } } }" })).await;
    assert_eq!(code(schema).await, "INTROSPECTION_DISABLED");
    let page =
        request(&world, Method::GET, "/graphql").header(header::ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(page.status(), 404);
    let preflight = request(&world, Method::OPTIONS, "/graphql")
        .header(header::ORIGIN, app)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let allowed = preflight.send().await.unwrap();
    assert_eq!(allowed.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], app);
    let foreign = open_socket(&world, "https://attacker.example.net", "192.0.2.1").await;
    let first = open_socket(&world, app, "192.0.2.1").await;
    let second = open_socket(&world, app, "192.0.2.1").await;
    let of_another = open_socket(&world, world.service_address(), "192.0.2.2").await;
    let statuses = [foreign, first, second, of_another].each_ref().map(|answer| answer.status().as_u16());
    assert_eq!(statuses, [403, 101, 429, 101]);
}

async fn whoever_runs_it_is_told_how_it_is(database: Database) {
    let world = World::new(database).await;
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(request(&world, Method::GET, path).send().await.unwrap().status(), 200, "{path}");
    }
}

async fn the_forwarding_header_of_an_unlisted_proxy_is_ignored_with_one_warning(database: Database) {
    let world = World::builder(database).spawned().set("WRONG_PASSWORDS_PER_ADDRESS", "1/1h").start().await;
    let guess = json!({ "query": "mutation { login(input: {email: \"a@example.com\", password: \"wrong\"}) { errors { code } } }" });
    let mut answers = Vec::new();
    for client in ["192.0.2.1", "198.51.100.1"] {
        let asked = request(&world, Method::POST, "/graphql").header("x-forwarded-for", client).json(&guess);
        answers.push(asked.send().await.unwrap().text().await.unwrap());
    }
    assert!(answers[0].contains("WRONG_CREDENTIALS") && answers[1].contains("RATE_LIMITED"), "{answers:?}");
    assert_eq!(world.log().matches("forwarding header ignored: TRUSTED_PROXIES has to name the peer if it is a proxy of yours peer=127.0.0.1").count(), 1);
}

on_both_databases! {
    no_answer_may_be_kept_and_each_has_an_id,
    a_token_in_a_url_is_refused_and_so_is_a_mutation,
    what_is_no_request_is_told_so,
    a_document_that_is_wrong_is_told_so_in_few_words,
    a_small_document_that_grows_without_end_is_refused,
    the_media_type_is_what_the_client_prefers,
    tools_find_the_schema_and_browsers_a_page,
    a_service_tells_nothing_of_its_schema_and_heeds_who_may_talk_to_it,
    whoever_runs_it_is_told_how_it_is,
    the_forwarding_header_of_an_unlisted_proxy_is_ignored_with_one_warning,
}
