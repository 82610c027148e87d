//! How a run is written down.
