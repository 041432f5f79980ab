//! stdout, written whole and flushed.

use std::io::{self, Write};

/// Writes `bytes` to stdout.
///
/// # Errors
///
/// When stdout is closed or full.
pub(super) fn print(bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes.as_ref())?;
    out.flush()
}
