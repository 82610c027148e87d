//! What a payload says: our own header, and the formats of others. Pure.
