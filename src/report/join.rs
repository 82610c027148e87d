//! Joins as a histogram.

use super::hdr::{self, Hdr};
use super::{AtEnd, ReportFormat, ReportWriter};
use crate::model::join::JoinReport;
use crate::report::paper::Paper;
use std::io::{self, Write};

impl ReportFormat<JoinReport> for Hdr {
    fn name(&self) -> &'static str {
        "hdr"
    }

    fn about(&self) -> &'static str {
        "percentiles from the calls that join to the first datagrams in µs, .hgrm for HDR plotters"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<JoinReport>> {
        Box::new(AtEnd { out, write })
    }
}

fn write(report: &JoinReport, out: &mut dyn Write) -> io::Result<()> {
    let histogram = report.outcome.join.to_socket_ns.histogram().map_err(io::Error::other)?;
    hdr::write_percentiles(&histogram, hdr::RATIO, hdr::TICKS, out)
}

#[cfg(test)]
mod tests {
    use crate::model::sample::join;
    use crate::report::golden::{check_human, check_written};

    #[test]
    fn for_people() {
        check_human("human_join", &join::watched());
        check_human("human_join_limited", &join::limited());
        check_human("human_join_zap", &join::zapped());
        check_human("human_join_nothing", &join::nothing());
    }

    #[test]
    fn as_a_histogram() {
        check_written("hdr_join", "hdr", &join::watched());
    }
}
