//! Faults as a peer on a real socket sees them: every byte in order, and how the socket ended.
//!
//! The table of faults is what is iterated, so a new fault is tested without a line here, and fails until
//! its golden file is there.

mod case;
mod documented;
mod everywhere;
mod goldens;
mod matrix;
mod peer;
mod repeated;
mod show;
