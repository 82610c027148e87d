//! What a trial says to who asked for it by the name of a purpose.

use serde::{Deserialize, Serialize};

/// An answer in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Name of the preset that asked.
    pub preset: String,
    /// Whether what was measured is fit for its purpose; `null` where the trial cannot say.
    pub fit: Option<bool>,
    /// For people.
    pub words: String,
}
