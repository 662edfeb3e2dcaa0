//! The table, the curves and the page that a run of the simulator leaves.

use std::fmt::Write as _;

use anyhow::{anyhow, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{register_font, FontStyle};
use serde::{Deserialize, Serialize};

use crate::audits::Checked;
use crate::chain::{costs, Cost};
use crate::epoch::Part;
use crate::market::{EPOCH_SECS, N};
use crate::watching::Watching;

/// What one size of market came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Nodes, and as many leases.
    pub nodes: u32,
    /// Audits that begin in the epoch.
    pub audits: u32,
    /// The seat that proposes.
    pub proposer: Part,
    /// A seat that follows.
    pub follower: Part,
}

/// Size the targets are for, and the targets: time of a report, memory, and the part of an epoch that audits may take.
pub const TARGET_NODES: u32 = 100_000;
const TARGET_SECS: f64 = 5.0;
const TARGET_MIB: f64 = 1_000_000_000.0 / 1_048_576.0;

impl Point {
    /// Time in which two cores of their own check the bundles of an epoch, seconds.
    pub fn audit_secs(&self, checked: &Checked) -> f64 {
        f64::from(self.audits) * checked.cpu_secs / 2.0
    }

    /// What is missed of the targets.
    pub fn missed(&self, checked: &Checked) -> Vec<String> {
        let mut missed = Vec::new();
        for (name, part) in [("proposes", &self.proposer), ("follows", &self.follower)] {
            // Of a core: what neighbours on this machine took is not the oracle's.
            if part.cpu_secs() > TARGET_SECS {
                missed.push(format!("the seat that {name} takes {:.2} s, more than {TARGET_SECS}", part.cpu_secs()));
            }
            if part.peak_mib > TARGET_MIB {
                missed.push(format!("the seat that {name} takes {:.0} MiB, more than {TARGET_MIB:.0}", part.peak_mib));
            }
        }
        if self.audit_secs(checked) > EPOCH_SECS as f64 {
            missed.push(format!("its audits take {:.0} s, more than an epoch", self.audit_secs(checked)));
        }
        missed
    }
}

/// Column names of [`csv`].
const COLUMNS: &str = "nodes,leases,leaves,audits,propose_wall_s,propose_cpu_s,propose_peak_mib,follow_wall_s,follow_cpu_s,\
                       follow_peak_mib,ballot_bytes,proposal_bytes,journal_bytes,audits_two_cores_s,fees_lamports_a_day";

/// One line a point.
///
/// # Errors
/// When an instruction has no cost.
pub fn csv(points: &[Point], checked: &Checked) -> Result<String> {
    let mut text = format!("{COLUMNS}\n");
    for point in points {
        let Point { nodes, audits, proposer, follower } = point;
        writeln!(
            text,
            "{nodes},{nodes},{},{audits},{:.3},{:.3},{:.1},{:.3},{:.3},{:.1},{},{},{},{:.1},{}",
            proposer.leaves,
            proposer.wall_secs(),
            proposer.cpu_secs(),
            proposer.peak_mib,
            follower.wall_secs(),
            follower.cpu_secs(),
            follower.peak_mib,
            proposer.message_bytes,
            follower.message_bytes,
            proposer.journal_bytes,
            point.audit_secs(checked),
            fees(proposer.leaves)?,
        )?;
    }
    Ok(text)
}

fn fees(leaves: u32) -> Result<u64> {
    Ok(costs(leaves)?.iter().map(Cost::lamports_a_day).sum())
}

/// The same as tables for people, in Markdown.
///
/// # Errors
/// When an instruction has no cost.
pub fn tables(points: &[Point], checked: &Checked, watching: &Watching) -> Result<String> {
    let mut text = String::from(
        "| nodes and leases | leaves | proposes: s | of a core | MiB | follows: s | of a core | MiB | ballot, MB | audits | checked in, s |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for point in points {
        let Point { nodes, audits, proposer, follower } = point;
        writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {:.0} | {:.2} | {:.2} | {:.0} | {:.1} | {} | {:.0} |",
            grouped((*nodes).into()),
            grouped(proposer.leaves.into()),
            proposer.wall_secs(),
            proposer.cpu_secs(),
            proposer.peak_mib,
            follower.wall_secs(),
            follower.cpu_secs(),
            follower.peak_mib,
            proposer.message_bytes as f64 / 1e6,
            grouped((*audits).into()),
            point.audit_secs(checked),
        )?;
    }
    if let Some(point) = points.iter().find(|point| point.nodes == TARGET_NODES).or(points.last()) {
        for (name, part) in [("proposes", &point.proposer), ("follows", &point.follower)] {
            write!(text, "\n| at {} nodes the seat that {name} | s | of a core |\n", grouped(point.nodes.into()))?;
            text.push_str("|---|--:|--:|\n");
            for step in &part.steps {
                writeln!(text, "| {} | {:.3} | {:.3} |", step.name, step.wall_secs, step.cpu_secs)?;
            }
        }
        text.push_str("\n| transaction of one oracle | signatures | compute units | a day | lamports a day |\n");
        text.push_str("|---|--:|--:|--:|--:|\n");
        for cost in costs(point.proposer.leaves)? {
            let Cost { name, signatures, units, a_day } = cost;
            let units = grouped(units);
            writeln!(text, "| `{name}` | {signatures} | {units} | {a_day} | {} |", grouped(cost.lamports_a_day()))?;
        }
        let all = fees(point.proposer.leaves)?;
        writeln!(text, "| all | | | | {} |", grouped(all))?;
    }
    writeln!(
        text,
        "\nA bundle at n = {} took {:.1} ms of a core and {:.1} ms of two ({} bytes).",
        grouped(N.into()),
        checked.cpu_secs * 1e3,
        checked.wall_secs * 1e3,
        grouped(checked.bundle_bytes),
    )?;
    writeln!(
        text,
        "A poll took {:.0} µs of a core without HTTP: {} leases a core at one poll a second. Writing 5,000 tallies took {:.0} ms of a core.",
        watching.poll_cpu_secs * 1e6,
        grouped((1.0 / watching.poll_cpu_secs) as u64),
        watching.save_cpu_secs * 1e3,
    )?;
    Ok(text)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const SIZE: (u32, u32) = (960, 1_080);
const FONT: &str = "sans-serif";
static FONT_FILE: &[u8] = include_bytes!("../../../cli/assets/roboto-ascii.ttf");

/// A line of a chart: its name, its colour, and its value at each point.
type Curve<'a> = (&'a str, RGBColor, Vec<f64>);

/// Three charts against the number of nodes, all axes logarithmic: time, memory, and the day's fees.
///
/// # Errors
/// When it cannot be drawn.
pub fn svg(points: &[Point], checked: &Checked) -> Result<String> {
    register_font(FONT, FontStyle::Normal, FONT_FILE).map_err(|_| anyhow!("the chart's font is broken"))?;
    let of = |value: fn(&Point) -> f64| points.iter().map(value).collect::<Vec<f64>>();
    let fees: Vec<f64> = points.iter().map(|point| Ok(fees(point.proposer.leaves)? as f64)).collect::<Result<_>>()?;
    let audits = points.iter().map(|point| point.audit_secs(checked)).collect();
    let secs = [
        ("a report: the seat that proposes, one core", BLUE, of(|point| point.proposer.wall_secs())),
        ("a report: a seat that follows, one core", GREEN, of(|point| point.follower.wall_secs())),
        ("the epoch's bundles, two cores", RED, audits),
    ];
    let memory = [
        ("the seat that proposes", BLUE, of(|point| point.proposer.peak_mib)),
        ("a seat that follows", GREEN, of(|point| point.follower.peak_mib)),
    ];
    let nodes: Vec<f64> = points.iter().map(|point| point.nodes.into()).collect();
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let broken = |error| anyhow!("the chart cannot be drawn: {error}");
        area.fill(&WHITE).map_err(broken)?;
        let parts = area.split_evenly((3, 1));
        for (part, title, curves) in [
            (&parts[0], "Time, s", &secs[..]),
            (&parts[1], "Most memory, MiB", &memory[..]),
            (&parts[2], "Fees of an oracle a day, lamports", &[("all its transactions", BLUE, fees)][..]),
        ] {
            draw(part, title, &nodes, curves).map_err(broken)?;
        }
        area.present().map_err(broken)?;
    }
    Ok(text)
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    nodes: &[f64],
    curves: &[Curve<'_>],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(least, most), it| (least.min(it), most.max(it)))
    };
    let (first, last) = ends(&mut nodes.iter().copied());
    let (least, most) = ends(&mut curves.iter().flat_map(|(_, _, values)| values.iter().copied()));
    let font = |size: i32| (FONT, size).into_font();
    let mut chart = ChartBuilder::on(area)
        .caption(title, font(22))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(92)
        .build_cartesian_2d((first * 0.9..last * 1.1).log_scale(), (least / 2.0..most * 4.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_label_formatter(&|nodes| grouped(nodes.round() as u64))
        .y_label_formatter(&|value| if *value < 1.0 { format!("{value}") } else { grouped(value.round() as u64) })
        .x_desc("nodes, and as many leases")
        .label_style(font(15))
        .axis_desc_style(font(16))
        .draw()?;
    for (name, colour, values) in curves {
        let at: Vec<(f64, f64)> = nodes.iter().copied().zip(values.iter().copied()).collect();
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(at.clone(), colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        chart.draw_series(at.into_iter().map(|at| Circle::new(at, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.9))
        .label_font(font(15))
        .draw()?;
    Ok(())
}
