//! Loss, duplicates and reordering of one stream of sequence numbers.
