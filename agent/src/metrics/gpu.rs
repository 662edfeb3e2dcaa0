//! GPUs as NVIDIA's management library (NVML) sees them, under the names, labels and units of dcgm-exporter, so that its
//! dashboards show them too. The library is looked for when the agent starts: without it there are no such series.

use std::time::Duration;

use millrace_daemon::metric::Metric;
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::{Clock, EccCounter, MemoryError, TemperatureSensor};
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, EventSet, Nvml};
use tokio_util::sync::CancellationToken;

/// The labels of dcgm-exporter that NVML knows the values of.
const LABELS: &[&str] = &["gpu", "UUID", "device", "modelName"];

millrace_daemon::catalog! {
    /// Of GPUs; each series exists where the driver gives its value.
    pub static CATALOG;

    GPU_UTIL = Metric::gauge("DCGM_FI_DEV_GPU_UTIL", "GPU utilization, %.").by_what_is_here(LABELS);
    MEM_COPY_UTIL = Metric::gauge("DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization, %.").by_what_is_here(LABELS);
    FB_USED = Metric::gauge("DCGM_FI_DEV_FB_USED", "Framebuffer memory used, MiB.").by_what_is_here(LABELS);
    FB_FREE = Metric::gauge("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free, MiB.").by_what_is_here(LABELS);
    GPU_TEMP = Metric::gauge("DCGM_FI_DEV_GPU_TEMP", "GPU temperature, C.").by_what_is_here(LABELS);
    POWER_USAGE = Metric::gauge("DCGM_FI_DEV_POWER_USAGE", "Power draw, W.").by_what_is_here(LABELS);
    SM_CLOCK = Metric::gauge("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency, MHz.").by_what_is_here(LABELS);
    ECC_DBE = Metric::counter("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "Double-bit ECC errors since the driver was loaded.").by_what_is_here(LABELS);
    XID_ERRORS = Metric::gauge("DCGM_FI_DEV_XID_ERRORS",
        "Last XID error the agent was told of; 0 if none since it started.").by_what_is_here(LABELS);
}

/// Time between two looks at the GPUs.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Watches the GPUs of this machine until stopped.
///
/// # Errors
/// None: where there is no NVIDIA driver there is nothing to watch.
pub async fn run(stop: CancellationToken) -> anyhow::Result<()> {
    let stopped = stop.clone();
    let thread = std::thread::Builder::new().name("gpus".into()).spawn(move || match Nvml::init() {
        Ok(nvml) => watch(&nvml, &stopped),
        Err(error) => tracing::info!("no GPU is watched: {error}"),
    });
    if let Err(error) = thread {
        tracing::warn!("no GPU is watched: {error}");
    }
    // Not waited for: a driver that hangs must not hold up the end.
    stop.cancelled().await;
    Ok(())
}

fn watch(nvml: &Nvml, stop: &CancellationToken) {
    let devices: Vec<(Device, [String; 4])> = (0..nvml.device_count().unwrap_or(0))
        .filter_map(|index| nvml.device_by_index(index).ok())
        .filter_map(|device| labels(&device).ok().map(|labels| (device, labels)))
        .collect();
    tracing::info!(gpus = devices.len(), "GPUs are watched");
    let errors = xid_errors(nvml, &devices);
    while !stop.is_cancelled() {
        for (device, labels) in &devices {
            show(device, &labels.each_ref().map(String::as_str));
        }
        match &errors {
            Some(errors) => wait_for_error(errors),
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

fn labels(device: &Device) -> Result<[String; 4], NvmlError> {
    let device_file = format!("nvidia{}", device.minor_number()?);
    Ok([device.index()?.to_string(), device.uuid()?, device_file, device.name()?])
}

/// Where the driver tells of XID errors; `None` where it does not.
fn xid_errors<'a>(nvml: &'a Nvml, devices: &[(Device<'a>, [String; 4])]) -> Option<EventSet<'a>> {
    let mut set = nvml.create_event_set().ok()?;
    for (device, labels) in devices {
        // A device that cannot tell takes the set with it.
        set = device.register_events(EventTypes::CRITICAL_XID_ERROR, set).ok()?;
        XID_ERRORS.set(0.0, &labels.each_ref().map(String::as_str));
    }
    Some(set)
}

fn wait_for_error(errors: &EventSet) {
    let millis = u32::try_from(LOOK_EVERY.as_millis()).unwrap_or(u32::MAX);
    match errors.wait(millis) {
        Ok(event) => {
            let Some(XidError::Value(xid)) = event.event_data else { return };
            let Ok(labels) = labels(&event.device) else { return };
            tracing::warn!(gpu = labels[0], uuid = labels[1], xid, "the driver reports an error of a GPU");
            XID_ERRORS.set(xid as f64, &labels.each_ref().map(String::as_str));
        }
        Err(NvmlError::Timeout) => {}
        Err(error) => {
            tracing::debug!("GPU errors cannot be waited for: {error}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Shows what the driver tells of one GPU, and nothing in place of what it does not.
fn show(device: &Device, labels: &[&str]) {
    let set = |metric: &Metric, value: f64| metric.set(value, labels);
    if let Ok(used) = device.utilization_rates() {
        set(&GPU_UTIL, used.gpu.into());
        set(&MEM_COPY_UTIL, used.memory.into());
    }
    if let Ok(memory) = device.memory_info() {
        set(&FB_USED, (memory.used >> 20) as f64);
        set(&FB_FREE, (memory.free >> 20) as f64);
    }
    if let Ok(celsius) = device.temperature(TemperatureSensor::Gpu) {
        set(&GPU_TEMP, celsius.into());
    }
    if let Ok(milliwatts) = device.power_usage() {
        set(&POWER_USAGE, f64::from(milliwatts) / 1_000.0);
    }
    if let Ok(megahertz) = device.clock_info(Clock::SM) {
        set(&SM_CLOCK, megahertz.into());
    }
    if let Ok(errors) = device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile) {
        ECC_DBE.count_to(errors, labels);
    }
}
