//! The style sheet of the report and of the page of `trainer compare`.

/// CSS.
pub(crate) const STYLE: &str = include_str!("style.css");
