//! A job's output: kept from its beginning up to a bound, then counted but dropped, so that a job can neither fill
//! the host's disk by printing nor block on a full pipe.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::thread::JoinHandle;

/// Most bytes of output kept.
pub const MAX_LOG_BYTES: usize = 4 << 20;

/// What a log that reached its bound ends with.
pub const LOG_TRUNCATED: &str = "\n[the log is full; what follows is dropped]\n";

/// Copies `from` into a new file at `path` until it ends.
///
/// # Errors
/// When the file cannot be made.
pub(crate) fn capture(mut from: impl Read + Send + 'static, path: &Path) -> std::io::Result<JoinHandle<()>> {
    let mut file = File::create(path)?;
    std::thread::Builder::new().name("job-log".into()).spawn(move || {
        let mut left = MAX_LOG_BYTES;
        let mut buffer = [0; 16 << 10];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!(%error, "the job's output broke off");
                    return;
                }
            };
            let kept = read.min(left);
            let mut written = file.write_all(&buffer[..kept]);
            if left > 0 && kept == left {
                written = written.and_then(|()| file.write_all(LOG_TRUNCATED.as_bytes()));
            }
            left -= kept;
            if let Err(error) = written {
                // A host whose disk is full keeps the job running; only the log ends here.
                tracing::warn!(%error, "the job's log cannot be written");
                left = 0;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(from: impl Read + Send + 'static) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        capture(from, &path).unwrap().join().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn output_is_kept_as_it_was_printed() {
        assert_eq!(captured(&b"loss 0.3\n"[..]), b"loss 0.3\n");
    }

    #[test]
    fn a_job_that_prints_without_end_fills_no_disk() {
        let log = captured(std::io::repeat(b'x').take(3 * MAX_LOG_BYTES as u64));
        assert_eq!(log.len(), MAX_LOG_BYTES + LOG_TRUNCATED.len());
        assert!(log.ends_with(LOG_TRUNCATED.as_bytes()));
    }
}
