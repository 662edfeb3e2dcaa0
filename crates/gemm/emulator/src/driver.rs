//! As much of the CUDA driver's interface as `millrace-gemm` uses, under its C names.
//!
//! A stream does nothing before somebody waits for it, and then only what must be done: where one stream needs what another
//! makes and has not said so, the data is missing. What a real card would do most of the time is done here never.
//!
//! `MILLRACE_EMULATED_CAPABILITY` is the compute capability, two digits; `MILLRACE_EMULATED_FREE_MIB` the free memory.
//!
//! Every pointer is the caller's word, as in the real one: cudarc, which keeps to the interface.
#![allow(non_snake_case, unsafe_op_in_unsafe_fn, clippy::missing_safety_doc, clippy::too_many_arguments)]

use crate::ptx::{launch, Arg, Global, Module};
use std::{
    collections::VecDeque,
    ffi::{c_char, c_int, c_uint, c_void, CStr},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

/// `CUresult`.
type Status = c_uint;
const SUCCESS: Status = 0;
const INVALID_VALUE: Status = 1;
const LAUNCH_FAILED: Status = 719;

/// Shared memory that a block may have without asking, bytes.
const SHARED_UNASKED: u32 = 48 << 10;
const CARDS: c_int = 2;

/// Streams, events, modules and functions are known to the caller as their place, plus one.
type Handle = usize;

#[derive(Default)]
struct Driver {
    memory: Global,
    modules: Vec<Module>,
    functions: Vec<Function>,
    streams: Vec<Stream>,
    /// A stream, and how many of its operations come before the event.
    events: Vec<Option<(usize, u64)>>,
}

struct Function {
    module: usize,
    name: String,
    shared_asked: u32,
}

#[derive(Default)]
struct Stream {
    /// Operations not yet done.
    queue: VecDeque<Operation>,
    done: u64,
}

enum Operation {
    Launch {
        function: usize,
        blocks: u32,
        threads: u32,
        shared_bytes: u32,
        args: Vec<Vec<u8>>,
    },
    Write {
        to: u64,
        bytes: Vec<u8>,
    },
    Copy {
        to: u64,
        from: u64,
        len: usize,
    },
    /// Until another stream has done so much.
    Wait {
        stream: usize,
        done: u64,
    },
}

static DRIVER: LazyLock<Mutex<Driver>> = LazyLock::new(Default::default);

fn driver() -> MutexGuard<'static, Driver> {
    let mut driver = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
    if driver.streams.is_empty() {
        driver.streams.push(Stream::default());
    }
    driver
}

/// The number in an environment variable.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

impl Driver {
    fn push(&mut self, stream: Handle, operation: Operation) -> Status {
        match self.streams.get_mut(stream) {
            Some(stream) => stream.queue.push_back(operation),
            None => return INVALID_VALUE,
        }
        SUCCESS
    }

    /// Does what a stream has to do, until it has done so much.
    fn advance(&mut self, stream: usize, until: u64) -> Result<(), String> {
        while self.streams[stream].done < until {
            let Some(operation) = self.streams[stream].queue.pop_front() else { return Ok(()) };
            match operation {
                Operation::Launch { function, blocks, threads, shared_bytes, args } => {
                    let Function { module, name, .. } = &self.functions[function];
                    let kernel = self.modules[*module].kernel(name)?;
                    let args = args.iter().map(|arg| Arg::Bytes(arg)).collect::<Vec<_>>();
                    launch(kernel, &mut self.memory, 0..blocks, threads, shared_bytes, &args)?;
                }
                Operation::Write { to, bytes } => self.memory.write(to, &bytes),
                Operation::Copy { to, from, len } => {
                    let bytes = self.memory.read(from, len)?;
                    self.memory.write(to, &bytes);
                }
                Operation::Wait { stream, done } => self.advance(stream, done)?,
            }
            self.streams[stream].done += 1;
        }
        Ok(())
    }

    fn finish(&mut self, stream: usize) -> Status {
        told(self.advance(stream, u64::MAX))
    }
}

fn told(outcome: Result<(), String>) -> Status {
    match outcome {
        Ok(()) => SUCCESS,
        Err(what) => {
            eprintln!("emulated GPU: {what}");
            LAUNCH_FAILED
        }
    }
}

/// Calls of which nothing depends on the outcome here.
macro_rules! nothing_to_do {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(
            #[no_mangle]
            unsafe extern "C" fn $name($($arg: $type),*) -> Status {
                $(let _ = $arg;)*
                SUCCESS
            }
        )*
    };
}

nothing_to_do! {
    cuInit(flags: c_uint);
    cuCtxSetCurrent(context: Handle);
    cuDevicePrimaryCtxRelease_v2(device: c_int);
    cuModuleUnload(module: Handle);
    cuEventDestroy_v2(event: Handle);
    cuStreamDestroy_v2(stream: Handle);
    cuMemFree_v2(at: u64);
    cuMemFreeAsync(at: u64, stream: Handle);
}

#[no_mangle]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Status {
    *count = CARDS;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> Status {
    *device = ordinal;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int) -> Status {
    let text = format!("Emulated {device}");
    for (i, byte) in text.bytes().chain([0]).take(len as usize).enumerate() {
        *name.add(i) = byte as c_char;
    }
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, device: c_int) -> Status {
    let _ = device;
    let capability = setting("MILLRACE_EMULATED_CAPABILITY", 80) as c_int;
    *value = match attribute {
        // The clock in kHz, multiprocessors, the capability, and that memory can be had in the order of a stream.
        13 => 1_000_000,
        16 => 1,
        75 => capability / 10,
        76 => capability % 10,
        115 => 1,
        _ => 0,
    };
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) -> Status {
    *context = device as Handle + 1;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> Status {
    *context = 0;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuCtxSynchronize() -> Status {
    let mut driver = driver();
    (0..driver.streams.len()).map(|stream| driver.finish(stream)).find(|status| *status != SUCCESS).unwrap_or(SUCCESS)
}

#[no_mangle]
unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, text: *const c_char) -> Status {
    let parsed = CStr::from_ptr(text).to_str().map_err(|error| error.to_string()).and_then(Module::parse);
    told(parsed.map(|parsed| {
        let mut driver = driver();
        driver.modules.push(parsed);
        *module = driver.modules.len();
    }))
}

#[no_mangle]
unsafe extern "C" fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) -> Status {
    let mut driver = driver();
    let (module, name) = (module - 1, CStr::from_ptr(name).to_string_lossy().into_owned());
    told(driver.modules[module].kernel(&name).map(|_| ()).map(|()| {
        driver.functions.push(Function { module, name, shared_asked: SHARED_UNASKED });
        *function = driver.functions.len();
    }))
}

#[no_mangle]
unsafe extern "C" fn cuFuncSetAttribute(function: Handle, attribute: c_uint, value: c_int) -> Status {
    let _ = attribute;
    let asked = &mut driver().functions[function - 1].shared_asked;
    *asked = (*asked).max(value as u32);
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, flags: c_uint) -> Status {
    let _ = flags;
    let mut driver = driver();
    driver.streams.push(Stream::default());
    *stream = driver.streams.len() - 1;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuStreamSynchronize(stream: Handle) -> Status {
    driver().finish(stream)
}

#[no_mangle]
unsafe extern "C" fn cuStreamWaitEvent(stream: Handle, event: Handle, flags: c_uint) -> Status {
    let _ = flags;
    let mut driver = driver();
    match driver.events[event - 1] {
        // An event that was never recorded holds nobody up.
        None => SUCCESS,
        Some((other, done)) => driver.push(stream, Operation::Wait { stream: other, done }),
    }
}

#[no_mangle]
unsafe extern "C" fn cuEventCreate(event: *mut Handle, flags: c_uint) -> Status {
    let _ = flags;
    let mut driver = driver();
    driver.events.push(None);
    *event = driver.events.len();
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuEventRecord(event: Handle, stream: Handle) -> Status {
    let mut driver = driver();
    let Stream { queue, done } = &driver.streams[stream];
    let reached = done + queue.len() as u64;
    driver.events[event - 1] = Some((stream, reached));
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Status {
    *free = setting("MILLRACE_EMULATED_FREE_MIB", 1_024) << 20;
    *total = *free;
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuMemAlloc_v2(at: *mut u64, len: usize) -> Status {
    *at = driver().memory.alloc(len);
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuMemAllocAsync(at: *mut u64, len: usize, stream: Handle) -> Status {
    let _ = stream;
    cuMemAlloc_v2(at, len)
}

#[no_mangle]
unsafe extern "C" fn cuMemsetD8Async(at: u64, byte: u8, len: usize, stream: Handle) -> Status {
    driver().push(stream, Operation::Write { to: at, bytes: vec![byte; len] })
}

#[no_mangle]
unsafe extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const u8, len: usize, stream: Handle) -> Status {
    driver().push(stream, Operation::Write { to, bytes: std::slice::from_raw_parts(from, len).to_vec() })
}

#[no_mangle]
unsafe extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, len: usize, stream: Handle) -> Status {
    driver().push(stream, Operation::Copy { to, from, len })
}

/// To memory that is not pinned, as ours: the call returns when the copy is there.
#[no_mangle]
unsafe extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut u8, from: u64, len: usize, stream: Handle) -> Status {
    let mut driver = driver();
    match driver.finish(stream) {
        SUCCESS => {}
        failed => return failed,
    }
    told(driver.memory.read(from, len).map(|bytes| std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, len)))
}

#[no_mangle]
unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    blocks: c_uint,
    blocks_y: c_uint,
    blocks_z: c_uint,
    threads: c_uint,
    threads_y: c_uint,
    threads_z: c_uint,
    shared_bytes: c_uint,
    stream: Handle,
    params: *const *const c_void,
    extra: *const *const c_void,
) -> Status {
    let mut driver = driver();
    let Function { module, name, shared_asked } = &driver.functions[function - 1];
    let is_flat = [blocks_y, blocks_z, threads_y, threads_z] == [1; 4] && extra.is_null();
    let Ok(kernel) = driver.modules[*module].kernel(name) else { return INVALID_VALUE };
    if !is_flat || blocks == 0 || shared_bytes > *shared_asked {
        return INVALID_VALUE;
    }
    let sizes = kernel.params.iter().map(|(_, size)| *size as usize);
    let args = (0..).zip(sizes).map(|(i, size)| std::slice::from_raw_parts((*params.add(i)).cast(), size).to_vec());
    let args = args.collect();
    driver.push(stream, Operation::Launch { function: function - 1, blocks, threads, shared_bytes, args })
}

#[no_mangle]
unsafe extern "C" fn cuGetErrorName(status: Status, text: *mut *const c_char) -> Status {
    *text = match status {
        INVALID_VALUE => c"CUDA_ERROR_INVALID_VALUE",
        LAUNCH_FAILED => c"CUDA_ERROR_LAUNCH_FAILED",
        _ => c"CUDA_ERROR_UNKNOWN",
    }
    .as_ptr();
    SUCCESS
}

#[no_mangle]
unsafe extern "C" fn cuGetErrorString(status: Status, text: *mut *const c_char) -> Status {
    cuGetErrorName(status, text)
}
