//! When each datagram is due.
