//! What dashboards and alert rules ask for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One expression and where it stands.
#[derive(Clone, Debug)]
pub struct Query {
    /// The panel or alert.
    pub place: String,
    /// PromQL.
    pub expression: String,
}

/// Every query of a Grafana dashboard: of its panels, and of its variables. Fails where a panel does not take the data
/// source that is chosen in the dashboard.
pub fn dashboard(json: &str) -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(json).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            queries.push(Query { place: title.to_owned(), expression: text(&target["expr"]) });
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        // label_values(SELECTOR, label)
        let query = variable["query"].as_str().unwrap_or_default();
        if let Some((selector, _)) = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(',')) {
            queries.push(Query { place: text(&variable["name"]), expression: selector.to_owned() });
        }
    }
    assert!(!queries.is_empty(), "the dashboard asks for nothing");
    queries
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// One alert rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Alert {
    /// The group it is in: whom it is about.
    #[serde(skip)]
    pub group: String,
    /// Its name.
    pub alert: String,
    /// PromQL.
    pub expr: String,
    /// Labels it is sent with.
    pub labels: BTreeMap<String, String>,
    /// What a person reads.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

/// Every alert of a rules file.
pub fn alerts(yaml: &str) -> Vec<Alert> {
    let rules: Rules = serde_norway::from_str(yaml).unwrap();
    let of_group = |group: Group| group.rules.into_iter().map(move |rule| Alert { group: group.name.clone(), ..rule });
    rules.groups.into_iter().flat_map(of_group).collect()
}
