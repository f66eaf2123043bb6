//! One line a result, for people or for programs.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::{Map, Value, json};

use crate::machine::disturbed;
use crate::measure::Sample;

/// One result: a figure of ours, of peers beside it, and what it should be.
pub struct Row {
    case: String,
    unit: &'static str,
    ours: Option<Sample>,
    peers: Vec<(String, Sample)>,
    target: Option<(String, bool)>,
}

impl Row {
    /// A result of this case, in this unit.
    pub fn new(case: impl Into<String>, unit: &'static str) -> Self {
        Row { case: case.into(), unit, ours: None, peers: Vec::new(), target: None }
    }

    /// Our figure.
    pub fn ours(mut self, sample: &Sample) -> Self {
        self.ours = Some(sample.clone());
        self
    }

    /// The figure of a peer, or of what ours is held against. The first one is what ours is divided by.
    pub fn beside(mut self, name: impl Into<String>, sample: &Sample) -> Self {
        self.peers.push((name.into(), sample.clone()));
        self
    }

    /// Ours should be at least so many times the first peer's.
    pub fn at_least_times(self, times: f64) -> Self {
        let text = format!("≥ {times} × {}", self.peer_name());
        let is_met = self.times().is_some_and(|ours| ours >= times);
        self.target(text, is_met)
    }

    /// Ours should be at most so many times the first peer's.
    pub fn at_most_times(self, times: f64) -> Self {
        let text = format!("≤ {times} × {}", self.peer_name());
        let is_met = self.times().is_some_and(|ours| ours <= times);
        self.target(text, is_met)
    }

    /// Ours should be at least this.
    pub fn at_least(self, least: f64) -> Self {
        let is_met = self.ours.as_ref().is_some_and(|ours| ours.median() >= least);
        self.target(format!("≥ {least}"), is_met)
    }

    /// Ours should be at most this.
    pub fn at_most(self, most: f64) -> Self {
        let is_met = self.ours.as_ref().is_some_and(|ours| ours.median() <= most);
        self.target(format!("≤ {most}"), is_met)
    }

    /// Every run of ours should give exactly this.
    pub fn exactly(self, figure: f64) -> Self {
        let is_it = |ours: f64| (ours - figure).abs() < 1e-9;
        let is_met = self.ours.as_ref().is_some_and(|ours| is_it(ours.min()) && is_it(ours.max()));
        self.target(format!("= {figure}"), is_met)
    }

    fn target(mut self, text: String, is_met: bool) -> Self {
        self.target = Some((text, is_met));
        self
    }

    fn peer_name(&self) -> &str {
        self.peers.first().map_or("", |(name, _)| name)
    }

    /// Ours divided by the first peer's.
    fn times(&self) -> Option<f64> {
        let (ours, (_, peer)) = (self.ours.as_ref()?, self.peers.first()?);
        let times = ours.median() / peer.median();
        times.is_finite().then_some(times)
    }

    fn json(&self, bench: &str, others: f64) -> Map<String, Value> {
        let sample = |sample: &Sample| json!({"median": sample.median(), "min": sample.min(), "max": sample.max(), "runs": sample.runs()});
        let mut line = Map::new();
        line.insert("bench".into(), bench.into());
        line.insert("case".into(), self.case.clone().into());
        line.insert("unit".into(), self.unit.into());
        if let Some(ours) = &self.ours {
            line.insert("ours".into(), sample(ours));
        }
        for (name, figure) in &self.peers {
            line.insert(name.clone(), sample(figure));
        }
        if let Some(times) = self.times() {
            line.insert("ours_by_peer".into(), json!(times));
        }
        if let Some((target, is_met)) = &self.target {
            line.insert("target".into(), target.clone().into());
            line.insert("met".into(), (*is_met).into());
        }
        line.insert("others_share".into(), json!((others * 1e3).round() / 1e3));
        line
    }
}

/// Where results go.
pub struct Report {
    json: bool,
    print_busy: bool,
    is_busy: bool,
    missed: usize,
    withheld: usize,
}

impl Report {
    /// For people, or as JSON lines; of a busy machine too, or not.
    pub fn new(json: bool, print_busy: bool) -> Self {
        Report { json, print_busy, is_busy: false, missed: 0, withheld: 0 }
    }

    /// What is said once about the whole run.
    pub fn head(&self, title: &str, facts: &Map<String, Value>) {
        if self.json {
            let mut line = Map::new();
            line.insert("about".into(), title.into());
            line.extend(facts.clone());
            println!("{}", Value::Object(line));
            return;
        }
        println!("{title}");
        for (name, value) in facts {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            println!("  {name:<13} {value}");
        }
    }

    /// The machine is too busy: from here on everything is marked.
    pub fn mark_busy(&mut self) {
        self.is_busy = true;
    }

    /// The results of one benchmark, while which other programs took this share of the machine.
    pub fn bench(&mut self, name: &str, rows: &[Row], others: f64) {
        let disturbed = disturbed(others);
        if let (Some(why), false) = (&disturbed, self.print_busy) {
            self.withheld += 1;
            eprintln!("{name}: no figures: {why}; run it again on a quiet machine, or with --busy");
            return;
        }
        let is_busy = self.is_busy || disturbed.is_some();
        self.missed +=
            rows.iter().filter(|row| row.target.as_ref().is_some_and(|(_, is_met)| !is_met)).count();
        if self.json {
            for row in rows {
                let mut line = row.json(name, others);
                line.insert("busy".into(), is_busy.into());
                println!("{}", Value::Object(line));
            }
            return;
        }
        let mark = if is_busy { "  [BUSY MACHINE: not a measurement]" } else { "" };
        println!("\n{name}{mark}");
        println!("{}", table(rows));
    }

    /// Says that something was left out, and what makes it possible.
    pub fn skipped(&self, what: &str, why: &str) {
        if self.json {
            println!("{}", json!({"skipped": what, "why": why}));
        }
        eprintln!("SKIPPED: {what}: {why}");
    }

    /// Said at the end. Whether nothing had to be withheld.
    pub fn end(&self) -> bool {
        if self.missed > 0 {
            eprintln!("{} targets are missed", self.missed);
        }
        if self.withheld > 0 {
            eprintln!("{} benchmarks printed nothing: the machine was too busy", self.withheld);
        }
        self.withheld == 0
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["case", "unit", "ours", "beside", "ratio", "target", "met"]);
    for row in rows {
        let beside: Vec<String> =
            row.peers.iter().map(|(name, sample)| format!("{name} {}", shown(sample))).collect();
        let (target, met) = row
            .target
            .as_ref()
            .map_or((String::new(), ""), |(text, is_met)| (text.clone(), if *is_met { "yes" } else { "NO" }));
        table.add_row([
            row.case.clone(),
            row.unit.to_owned(),
            row.ours.as_ref().map_or_else(String::new, shown),
            beside.join("; "),
            row.times().map_or_else(String::new, |times| format!("{} ×", number(times))),
            target,
            met.to_owned(),
        ]);
    }
    for at in [2, 4] {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The median, and the range behind it.
fn shown(sample: &Sample) -> String {
    let (median, min, max) = (number(sample.median()), number(sample.min()), number(sample.max()));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

/// With three digits that matter, and thousands set apart.
fn number(figure: f64) -> String {
    if !figure.is_finite() {
        return "–".to_owned();
    }
    let digits = match figure.abs() {
        size if size >= 100.0 || figure.fract().abs() < f64::EPSILON => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size => (2.0 - size.log10().floor()).min(6.0) as usize,
    };
    let text = format!("{figure:.digits$}");
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + &rest
}
