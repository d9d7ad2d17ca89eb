//! How many connections the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors for 10,000 readers who stay connected, and everybody else. Fewer are worth a warning.
const WANTED: u64 = 16_384;

/// Takes as many file descriptors as the system allows: usually it gives a thousand or so until it is asked for more.
/// Every connection needs one, and a reader of promotions stays connected.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without a limit there is nothing to raise.
    let Some(soft) = limit.current else { return };
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = match raised {
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!(%error, soft, "the limit of open files cannot be raised");
            soft
        }
    };
    if now < WANTED {
        tracing::warn!(
            limit = now,
            wanted = WANTED,
            "few connections can be open at once; raise the hard limit of open files (ulimit -Hn) for more readers"
        );
    }
}
