//! What one document may cost. Memory is held to a limit, and so is the number of allocations, which grows with the work
//! that is done; processor time is printed.

use std::{cell::RefCell, time::Duration};

use allocation_counter::AllocationInfo;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use throwaway::report;

use super::{Connection, Service, generated::document, known};

/// What a document may hold at its worst moment.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Several times what the introspection query of tools needs, and far from what 50 ms of processor time would allow.
const MAX_ALLOCATIONS: u64 = 50_000;
const GENERATED: u32 = 10_000;

/// What a document has cost this thread.
#[derive(Clone, Debug, Default)]
struct Cost {
    processor: Duration,
    bytes: u64,
    allocations: u64,
}

/// What many documents have cost.
#[derive(Default)]
struct Tally {
    executed: u32,
    worst: Cost,
}

impl Tally {
    fn add(&mut self, status: u16, cost: &Cost) {
        self.executed += u32::from(status == 200);
        self.worst.processor = self.worst.processor.max(cost.processor);
        self.worst.bytes = self.worst.bytes.max(cost.bytes);
        self.worst.allocations = self.worst.allocations.max(cost.allocations);
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Asks, and tells the status and what it has cost.
fn ask(
    service: &Service,
    connection: &mut Connection,
    query: &str,
    variables: &serde_json::Value,
) -> (u16, Cost) {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let began = processor_time();
    let mut answer = None;
    let AllocationInfo { bytes_max, count_total, .. } = allocation_counter::measure(|| {
        answer = Some(service.runtime.block_on(connection.post(&body)));
    });
    let (status, _body) = answer.unwrap();
    (
        status,
        Cost {
            processor: processor_time().saturating_sub(began),
            bytes: bytes_max,
            allocations: count_total,
        },
    )
}

fn check(cost: &Cost) -> Result<(), String> {
    if cost.bytes > MAX_BYTES {
        return Err(format!("it took {} bytes", cost.bytes));
    }
    if cost.allocations > MAX_ALLOCATIONS {
        return Err(format!("it took {} allocations", cost.allocations));
    }
    Ok(())
}

#[test]
fn no_known_bomb_costs_much() {
    for introspection in [true, false] {
        let service = Service::start(introspection);
        let mut connection = service.runtime.block_on(Connection::open(&service));
        // What is made once, for all requests.
        ask(&service, &mut connection, "{ me { id } }", &json!({}));
        for known::Bomb { name, query, variables } in known::bombs() {
            let (status, cost) = ask(&service, &mut connection, &query, &variables);
            report(&format!(
                "{name}: {} bytes, answered {status}, {:.1?} of processor time, {} kB, {} allocations",
                query.len(),
                cost.processor,
                cost.bytes / 1024,
                cost.allocations
            ));
            assert!(status < 500, "{name}: {status}");
            check(&cost).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        }
    }
}

#[test]
fn no_generated_document_costs_much_or_breaks_anything() {
    let service = Service::start(true);
    let mut connection = service.runtime.block_on(Connection::open(&service));
    ask(&service, &mut connection, "{ me { id } }", &json!({}));
    // proptest may call this again at any time, to shrink.
    let asked = RefCell::new((connection, Tally::default()));
    let config = Config { cases: GENERATED, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ended = runner.run(&document(), |query| {
        let (connection, tally) = &mut *asked.borrow_mut();
        let (status, cost) = ask(&service, connection, &query, &json!({}));
        tally.add(status, &cost);
        if status >= 500 {
            return Err(TestCaseError::fail(format!("answered {status}")));
        }
        check(&cost).map_err(TestCaseError::fail)
    });
    ended.unwrap_or_else(|error| panic!("{error}"));
    let Tally { executed, worst } = asked.into_inner().1;
    assert!(executed > GENERATED / 20, "only {executed} documents were right");
    report(&format!(
        "{GENERATED} generated documents, {executed} answered without errors of the request; at most {:.1?} of processor \
         time, {} kB, {} allocations",
        worst.processor,
        worst.bytes / 1024,
        worst.allocations
    ));
}

#[test]
fn names_are_suggested_only_where_the_schema_is_told() {
    let ask = |introspection| {
        let service = Service::start(introspection);
        let answer = async {
            let mut connection = Connection::open(&service).await;
            connection.post(r#"{"query":"{ me { emaill } }"}"#).await
        };
        let (status, body) = service.runtime.block_on(answer);
        assert_eq!(status, 400);
        String::from_utf8(body).unwrap()
    };
    let (told, kept) = (ask(true), ask(false));
    assert!(told.contains("Did you mean") && told.contains("\\\"email\\\""), "{told}");
    assert!(!kept.contains("Did you mean") && !kept.contains("\\\"email\\\""), "{kept}");
}
