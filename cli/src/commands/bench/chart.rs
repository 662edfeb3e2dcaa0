//! The chart of gops against n.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{anyhow, bail, ensure, Context, Result};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{register_font, FontStyle};

/// Width and height, pixels.
const SIZE: (u32, u32) = (960, 600);
/// A viewer of SVG takes its own; the PNG is written with the one below.
const FONT: &str = "sans-serif";
/// See the README beside it.
static FONT_FILE: &[u8] = include_bytes!("../../../assets/roboto-ascii.ttf");

/// A file to save a chart in.
pub struct Chart {
    path: PathBuf,
    file: File,
    is_png: bool,
}

impl Chart {
    /// Opens the file for writing, and leaves what is in it.
    ///
    /// # Errors
    /// When its name ends neither in `.svg` nor in `.png`, or when it cannot be written.
    pub fn open(path: PathBuf) -> Result<Self> {
        let is_png = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => false,
            Some("png") => true,
            _ => bail!("{} ends neither in .svg nor in .png; a chart is saved as one of them", path.display()),
        };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.with_context(|| format!("the chart cannot be written to {}", path.display()))?;
        Ok(Self { path, file, is_png })
    }

    /// Draws `points`, which are n and gops, and saves them; without any, a file that was not there before is removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(mut self, backend: &str, points: &[(u32, u64)], peak_gops: Option<u64>) -> Result<()> {
        if points.is_empty() {
            if self.file.metadata().is_ok_and(|it| it.len() == 0) {
                let _ = std::fs::remove_file(&self.path);
            }
            return Ok(());
        }
        let bytes = if self.is_png { png(backend, points, peak_gops) } else { svg(backend, points, peak_gops) }?;
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(&bytes));
        written.with_context(|| format!("the chart cannot be written to {}", self.path.display()))
    }
}

fn svg(backend: &str, points: &[(u32, u64)], peak_gops: Option<u64>) -> Result<Vec<u8>> {
    let mut text = String::new();
    draw(&SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), backend, points, peak_gops)?;
    Ok(text.into_bytes())
}

fn png(backend: &str, points: &[(u32, u64)], peak_gops: Option<u64>) -> Result<Vec<u8>> {
    let (width, height) = SIZE;
    let mut rgb = vec![0; 3 * (width * height) as usize];
    draw(&BitMapBackend::with_buffer(&mut rgb, SIZE).into_drawing_area(), backend, points, peak_gops)?;
    encode_png(&rgb)
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    backend: &str,
    points: &[(u32, u64)],
    peak_gops: Option<u64>,
) -> Result<()> {
    register_font(FONT, FontStyle::Normal, FONT_FILE).map_err(|_| anyhow!("the chart's font is broken"))?;
    try_draw(area, backend, points, peak_gops).map_err(|error| anyhow!("the chart cannot be drawn: {error}"))
}

fn try_draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    backend: &str,
    points: &[(u32, u64)],
    peak_gops: Option<u64>,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    // Logarithms of n, so that each doubling is as wide, with room on both sides for what is written at the points.
    let logs = points.iter().map(|(n, gops)| (n.ilog2() as i32, *gops as f64));
    let first = logs.clone().map(|(log, _)| log).min().unwrap_or(0) - 1;
    let last = logs.clone().map(|(log, _)| log).max().unwrap_or(0) + 1;
    let most = logs.clone().map(|(_, gops)| gops).chain(peak_gops.map(|peak| peak as f64)).fold(1.0, f64::max);
    let font = |size: i32| (FONT, size).into_font();
    let centred = Pos::new(HPos::Center, VPos::Bottom);

    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("Proof of GPU, {backend}"), font(26))
        .margin(20)
        .x_label_area_size(56)
        .y_label_area_size(84)
        .build_cartesian_2d(first..last, 0.0..most * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels((last - first + 1) as usize)
        .x_label_formatter(&|log| if (first + 1..last).contains(log) { (1u32 << log).to_string() } else { "".into() })
        .y_label_formatter(&|gops| format!("{gops:.0}"))
        .x_desc("n (rows and columns)")
        .y_desc("gops (int8 operations, 10^9 per second)")
        .label_style(font(18))
        .axis_desc_style(font(19))
        .draw()?;
    if let Some(peak) = peak_gops {
        let peak_line = [(first, peak as f64), (last, peak as f64)];
        chart.draw_series(LineSeries::new(peak_line, RED.stroke_width(2)))?;
        let style = font(18).color(&RED).pos(Pos::new(HPos::Left, VPos::Bottom));
        let label = EmptyElement::at((first, peak as f64)) + Text::new(format!("peak: {peak}"), (8, -6), style);
        chart.draw_series([label])?;
    }
    chart.draw_series(LineSeries::new(logs.clone(), BLUE.stroke_width(3)))?;
    chart.draw_series(logs.map(|at| {
        let label = Text::new(format!("{:.0}", at.1), (0, -10), font(18).color(&BLUE).pos(centred));
        EmptyElement::at(at) + Circle::new((0, 0), 5, BLUE.filled()) + label
    }))?;
    area.present()
}

/// A PNG of [`SIZE`], eight bits for each of red, green and blue (ISO/IEC 15948).
fn encode_png(rgb: &[u8]) -> Result<Vec<u8>> {
    let (width, height) = SIZE;
    ensure!(rgb.len() == 3 * (width * height) as usize, "the picture is not of {width} × {height} pixels");
    let mut lines = ZlibEncoder::new(vec![], Compression::default());
    for line in rgb.chunks_exact(3 * width as usize) {
        // Unfiltered.
        lines.write_all(&[0])?;
        lines.write_all(line)?;
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", lines.finish()?), (b"IEND", vec![])] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(&data);
        png.extend(crc.sum().to_be_bytes());
    }
    Ok(png)
}
