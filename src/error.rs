//! The one error of this crate: what was tried, on what, why it failed, what to do about it.

use std::fmt;
use std::io;

/// Shorthand for a result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault an error is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The words on the command line make no sense, alone or together.
    Usage,
    /// The words make sense, but the machine does not let us.
    Environment,
}

/// A failure in one line, with the operating system's reason and a hint where there is one.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    cause: Option<io::Error>,
    hint: Option<String>,
}

impl Error {
    /// A word on the command line that cannot be meant.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, what: what.into(), cause: None, hint: None }
    }

    /// Something the machine refuses for a reason that is no `errno`.
    pub fn environment(what: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Environment, what: what.into(), cause: None, hint: None }
    }

    /// A system call that failed: `what` says what was tried and on what.
    pub fn os(what: impl Into<String>, cause: io::Error) -> Self {
        Self { kind: ErrorKind::Environment, what: what.into(), cause: Some(cause), hint: None }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was tried, on what, and why it failed: all but the hint.
    pub fn reason(&self) -> String {
        self.cause.as_ref().map_or(self.what.clone(), |cause| format!("{}: {cause}", self.what))
    }

    /// What the user can do about it, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operating system's error number, if a system call failed.
    pub fn errno(&self) -> Option<i32> {
        self.cause.as_ref().and_then(io::Error::raw_os_error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_on_what_why_and_what_to_do() {
        let error = Error::os("cannot join 233.252.0.7 on eth1", io::Error::from_raw_os_error(105))
            .hint("raise net.ipv4.igmp_max_memberships");
        assert_eq!(
            error.to_string(),
            "cannot join 233.252.0.7 on eth1: No buffer space available (os error 105)\n\
             hint: raise net.ipv4.igmp_max_memberships"
        );
        assert_eq!(error.errno(), Some(105));
        assert_eq!(error.kind(), ErrorKind::Environment);
    }
}
