//! What is counted is told in three places: by the service, in `docs/METRICS.md`, and on the dashboard. All say the same.

use std::{collections::BTreeSet, fs, path::Path};

use countersign::{
    graphql::ROOT_FIELDS,
    telemetry::{Kind, METRICS, Metric},
};
use serde_json::Value;

/// What a reader adds to each series that it has read.
const OF_THE_READER: [&str; 2] = ["instance", "job"];
const ROWS: [&str; 9] = [
    "Logins",
    "Provider",
    "Passwords",
    "Waiting",
    "HTTP and GraphQL",
    "Budgets",
    "Database",
    "Background work",
    "Process",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn page() -> String {
    read("docs/METRICS.md")
}

fn dashboard() -> Value {
    serde_json::from_str(&read("docs/grafana/countersign.json")).unwrap()
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("countersign_") || word.starts_with("process_")).collect()
}

/// The metric that is written so, and whether as the buckets of a histogram.
fn written(name: &str) -> Option<(&'static Metric, bool)> {
    METRICS.iter().find_map(|metric| match (name.strip_prefix(metric.name)?, metric.kind) {
        ("", Kind::Counter | Kind::Gauge) | ("_sum" | "_count", Kind::Histogram) => Some((metric, false)),
        ("_bucket", Kind::Histogram) => Some((metric, true)),
        _ => None,
    })
}

fn has_label(name: &str, label: &str) -> bool {
    let (metric, is_bucket) = written(name).unwrap();
    metric.labels.iter().any(|known| known.name == label)
        || (is_bucket && label == "le")
        || OF_THE_READER.contains(&label)
}

/// What is wrong with a `PromQL` expression, as far as it can be told from what is counted.
fn wrong(expression: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut outside = expression.to_owned();
    for (before, matchers) in selectors(expression) {
        outside = outside.replace(&format!("{{{matchers}}}"), " ");
        let name = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next();
        let Some((metric, _)) = name.and_then(written) else { continue };
        for matcher in matchers.split("\",") {
            let label: String = matcher.chars().take_while(|letter| !"=!".contains(*letter)).collect();
            if !has_label(name.unwrap(), &label) {
                wrong.push(format!("{} has no label {label}", metric.name));
            }
            let values = matcher.split('"').nth(1).unwrap_or_default();
            let known =
                metric.labels.iter().find(|known| known.name == label).map_or(&[][..], |label| label.values);
            let unknown = values.split('|').find(|value| !known.contains(value));
            if let (Some(value), false) = (unknown, known.is_empty()) {
                wrong.push(format!("{} has no {label} {value}", metric.name));
            }
        }
    }
    // Of what is not there, nothing is subtracted: the worst share would not be shown.
    if expression.contains("1 - ") && !expression.contains(" or 0 * ") {
        wrong.push("what is subtracted may be missing".to_owned());
    }
    for name in names(&outside) {
        match written(name) {
            None => wrong.push(format!("{name} is not counted")),
            Some((metric, _)) => {
                let is_read_as_growth = ["rate(", "increase("].iter().any(|function| {
                    outside.match_indices(name).any(|(place, _)| outside[..place].ends_with(function))
                });
                if is_read_as_growth == (metric.kind == Kind::Gauge) {
                    wrong.push(format!("{name} is read as another kind"));
                }
            }
        }
    }
    let labels = outside.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    for label in labels.flat_map(|labels| labels.split(", ")) {
        if !names(&outside).iter().all(|name| written(name).is_none() || has_label(name, label)) {
            wrong.push(format!("{label} is no label of what is summed"));
        }
    }
    wrong
}

/// The selectors of an expression: what stands before each, and what between its braces.
fn selectors(expression: &str) -> Vec<(&str, &str)> {
    let parts = expression.match_indices('{');
    parts
        .map(|(place, _)| (&expression[..place], expression[place + 1..].split('}').next().unwrap()))
        .collect()
}

/// The expressions of the page's alerts.
fn alerts(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn expressions(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap())
}

#[test]
fn the_page_tells_of_each_metric_what_the_service_tells() {
    let page = page();
    for metric in METRICS {
        let labels = metric.labels.iter().map(|label| {
            let values: Vec<_> = label.values.iter().map(|value| format!("`{value}`")).collect();
            let colon = if values.is_empty() { "" } else { ": " };
            format!("`{}`{colon}{}", label.name, values.join(", "))
        });
        let labels = labels.collect::<Vec<_>>().join("; ");
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let row = format!("\n| `{}` | {kind} | {labels} | {} | ", metric.name, metric.meaning);
        let (_, rest) = page.split_once(&row).unwrap_or_else(|| panic!("docs/METRICS.md lacks {row}"));
        let question = rest.lines().next().unwrap();
        assert!(question.contains('?'), "{} answers no question", metric.name);
    }
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(rows.count(), METRICS.len());
}

#[test]
fn the_page_names_nothing_that_is_not_counted() {
    let page = page();
    let is_known = |name: &str| written(name).is_some() || METRICS.iter().any(|metric| metric.name == name);
    let unknown: Vec<_> =
        names(&page).into_iter().filter(|name| !is_known(name) && *name != "process_").collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

#[test]
fn alerts_and_panels_ask_for_what_is_counted() {
    let (page, dashboard) = (page(), dashboard());
    let alerts = alerts(&page);
    let shown: Vec<_> = panels(&dashboard).flat_map(expressions).collect();
    assert!(alerts.len() > 5 && shown.len() > 20, "{} alerts and {} expressions", alerts.len(), shown.len());
    for expression in alerts.into_iter().chain(shown) {
        assert_eq!(wrong(expression), Vec::<String>::new(), "{expression}");
    }
}

#[test]
fn what_is_wrong_with_an_expression_is_seen() {
    for (expression, complaint) in [
        ("sum(rate(countersign_made_up_total[5m]))", "countersign_made_up_total is not counted"),
        ("countersign_password_wait_seconds", "countersign_password_wait_seconds is not counted"),
        (
            "rate(countersign_callbacks_total{by=\"asked\"}[5m])",
            "countersign_callbacks_total has no label by",
        ),
        (
            "rate(countersign_callbacks_total{answer=~\"kept|lost\"}[5m])",
            "countersign_callbacks_total has no answer lost",
        ),
        ("sum by (le) (rate(countersign_callbacks_total[5m]))", "le is no label of what is summed"),
        ("countersign_callbacks_total > 1", "countersign_callbacks_total is read as another kind"),
        ("rate(countersign_sockets_open[5m])", "countersign_sockets_open is read as another kind"),
        ("1 - sum(rate(countersign_callbacks_total[5m]))", "what is subtracted may be missing"),
    ] {
        assert_eq!(wrong(expression), [complaint], "{expression}");
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let dashboard = dashboard();
    let shown: Vec<_> = panels(&dashboard).flat_map(expressions).collect();
    let shown: BTreeSet<_> = shown
        .iter()
        .flat_map(|expression| names(expression))
        .filter_map(written)
        .map(|(metric, _)| metric.name)
        .collect();
    let missing: Vec<_> = METRICS.iter().filter(|metric| !shown.contains(metric.name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_grafana_can_import_the_dashboard_and_people_can_read_it() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let all = dashboard["panels"].as_array().unwrap();
    let rows: Vec<_> = all.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
    assert_eq!(rows, ROWS);
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    // Grafana moves a panel that overlaps another one, out of its row too.
    let mut cells = BTreeSet::new();
    for panel in all {
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        for cell in (x..x + width).flat_map(|column| (y..y + height).map(move |row| (column, row))) {
            assert!(cells.insert(cell), "{} overlaps at {cell:?}", panel["title"]);
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source = variables.iter().find(|variable| variable["name"] == "datasource").unwrap();
    assert_eq!((&source["type"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        assert_eq!(variable["datasource"]["uid"], "${datasource}");
    }
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        for text in [&panel["title"], &panel["description"], &panel["fieldConfig"]["defaults"]["unit"]] {
            assert!(!text.as_str().unwrap().is_empty(), "{title}");
        }
        let targets = panel["targets"].as_array().unwrap();
        for asked in targets.iter().chain([panel]) {
            assert_eq!(asked["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn operations_are_named_by_the_fields_at_the_roots_and_a_few_words() {
    let counted =
        METRICS.iter().find(|metric| metric.name == "countersign_graphql_operation_seconds").unwrap();
    let (fields, words) = counted.labels[0].values.split_at(ROOT_FIELDS.len());
    assert!(fields.iter().eq(ROOT_FIELDS.iter().map(|field| &field.name)), "{fields:?}");
    assert_eq!(words, ["introspection", "typename", "several", "unknown", "unread"]);
}

#[cfg(feature = "sandbox")]
#[test]
fn a_budget_is_counted_by_the_name_of_its_setting() {
    let counted = METRICS.iter().find(|metric| metric.name == "countersign_budgets_used_up_total").unwrap();
    let settings: BTreeSet<_> =
        crate::settings::settings().into_iter().map(|(variable, _)| variable).collect();
    for budget in counted.labels[0].values {
        assert!(settings.contains(&budget.to_uppercase()), "{budget}");
    }
}
