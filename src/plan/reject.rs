//! Why a request is refused, before any dialect has a word for it.
