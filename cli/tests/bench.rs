//! `millrace bench`, on this machine, at its smallest sizes.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{command, millrace};
use serde_json::Value;

const KEYS: [&str; 9] =
    ["n", "rounds", "elapsed_secs", "gops", "fraction_of_peak", "memory_mib", "verify_ms", "bundle_bytes", "backend"];

/// The sizes measured, as JSON.
fn rows(stdout: &[u8]) -> Vec<Value> {
    serde_json::from_slice(stdout).unwrap()
}

#[test]
fn json_is_a_list_with_an_object_for_each_size() {
    let dir = tempfile::tempdir().unwrap();
    // Twice the same is once, and small ones come first.
    let arguments = ["bench", "--n", "512,256", "--n", "512", "--secs", "1", "--threads", "1", "--output", "json"];
    let output = millrace(dir.path(), &arguments);
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "a bar where there is no terminal");
    let rows = rows(&output.stdout);
    assert_eq!(rows.iter().map(|row| row["n"].as_u64().unwrap()).collect::<Vec<_>>(), [256, 512]);
    for row in rows {
        let keys: BTreeSet<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(KEYS));
        let [n, rounds] = ["n", "rounds"].map(|key| row[key].as_u64().unwrap() as u32);
        let nanos = row["elapsed_secs"].as_f64().unwrap() * 1e9;
        let gops = millrace_core::proof::gops(n, rounds, nanos as u64);
        assert!(row["gops"].as_u64().unwrap().abs_diff(gops) <= 1, "{row} does not add up");
        assert_eq!(row["bundle_bytes"], millrace_gemm::bundle_len(n, rounds));
        assert!(row["verify_ms"].as_f64().unwrap() > 0.0);
        assert!(row["fraction_of_peak"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn the_table_says_what_the_fractions_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let output = millrace(dir.path(), &["bench", "--n", "256", "--backend", "cpu"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("of peak") && table.contains("peak of cpu"), "{table}");
    assert!(output.stderr.is_empty(), "a bar where there is no terminal");
}

#[test]
fn a_gpu_that_is_not_here_is_answered_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let output = millrace(dir.path(), &["bench", "--n", "256", "--backend", "cuda", "--output", "json"]);
    match output.status.success() {
        true => assert!(rows(&output.stdout)[0]["backend"].as_str().unwrap().starts_with("cuda")),
        false => {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("NVIDIA") && said.contains("GPU") || said.contains("no NVIDIA driver"), "{said}");
        }
    }
}

/// Measures n = 256 and 512 with a chart, and gives its bytes and the gops.
fn charted(path: &Path) -> (Vec<u8>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["bench", "--n", "256,512", "--secs", "1", "--output", "json", "--chart", path.to_str().unwrap()];
    let output = millrace(dir.path(), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let gops = rows(&output.stdout).iter().map(|row| row["gops"].to_string()).collect();
    (std::fs::read(path).unwrap(), gops)
}

#[test]
fn an_svg_chart_is_xml_that_names_its_axes_and_every_point() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("speed.svg");
    // A longer file that was there before leaves nothing behind.
    std::fs::write(&path, "old ".repeat(100_000)).unwrap();
    let (bytes, gops) = charted(&path);
    let text = String::from_utf8(bytes).unwrap();
    let svg = roxmltree::Document::parse(&text).unwrap();
    assert!(svg.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")));
    let texts: Vec<_> = svg
        .descendants()
        .filter(|it| it.tag_name().name() == "text")
        .filter_map(|it| it.text().map(str::trim))
        .collect();
    for expected in gops.iter().map(String::as_str).chain(["256", "512"]) {
        assert!(texts.contains(&expected), "{expected} is not among {texts:?}");
    }
    for expected in ["n (", "gops (", "peak: ", "Proof of GPU"] {
        assert!(texts.iter().any(|text| text.starts_with(expected)), "{expected:?} is not among {texts:?}");
    }
}

#[test]
fn a_png_chart_decodes_to_a_picture_with_writing() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, _) = charted(&dir.path().join("speed.png"));
    let header = minipng::decode_png_header(&bytes).unwrap();
    assert_eq!((header.width(), header.height(), header.color_type()), (960, 600, minipng::ColorType::Rgb));
    let mut pixels = vec![0; header.required_bytes()];
    let picture = minipng::decode_png(&bytes, &mut pixels).unwrap();
    // The caption, black on white: the font is there.
    let caption = &picture.pixels()[..3 * 960 * 60];
    let dark = caption.as_chunks::<3>().0.iter().filter(|pixel| pixel.iter().all(|channel| *channel < 64)).count();
    assert!((300..5_000).contains(&dark), "{dark} dark pixels in the caption");
}

#[test]
fn ctrl_c_prints_what_was_measured_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let chart = dir.path().join("speed.svg");
    let arguments =
        ["bench", "--n", "256,8192", "--secs", "3600", "--backend", "cpu", "--threads", "2", "--output", "json"];
    let bench = command(dir.path(), &arguments)
        .args(["--chart", chart.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = bench.id().to_string();
    // A B of 8,192 × 8,192 are 64 MiB: when they are there, n = 256 is done.
    let deadline = Instant::now() + Duration::from_secs(60);
    while resident_mib(&pid) < 100 {
        assert!(Instant::now() < deadline, "the second size was not begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = bench.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let rows = rows(&output.stdout);
    assert_eq!(rows.iter().map(|row| row["n"].as_u64().unwrap()).collect::<Vec<_>>(), [256]);
    assert!(std::fs::read_to_string(chart).unwrap().contains("</svg>"), "the chart of them is saved too");
}

/// Memory of a process, MiB.
fn resident_mib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() >> 10)
}
