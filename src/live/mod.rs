//! Who watches a trial while it runs.
