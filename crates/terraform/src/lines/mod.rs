//! The lines that `terraform -json` prints while it works: parsed, printed for people, and watched
//! for what is in flight.
//!
//! Terraform runs once, with `-json`, and both logs come from that: the lines themselves for a client
//! that renders JSON, and [`render`]'s text for people. A line that isn't JSON (a crash, a
//! provider's own output, a state dumped on a full disk) is [`Event::Text`]: kept, never an error.

mod buffer;
mod diagnostic;
mod event;
mod operations;
mod render;
mod value;

pub use buffer::LineBuffer;
pub use diagnostic::{Diagnostic, FunctionCall, Position, Snippet, SourceRange, ValueStatement};
pub use event::{Change, ChangeSummary, Event, Hook, Line, OutputValue, ResourceRef};
pub use operations::{Completed, InFlight, Operations, Unrecorded};
pub use render::Renderer;
