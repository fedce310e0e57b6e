//! The sections of `INFO` about what commands cost on this node, and how they failed. Nothing here
//! counts; the observer does.

use super::Text;
use crate::node::NodeStatus;
use crate::server::Shared;

/// `# Commandstats`
pub fn commands(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    for (row, stats) in shared.observer().rows() {
        let (calls, total_us) = (stats.calls.get(), stats.total_ns.get() / 1000);
        let mean_us = if calls == 0 { 0.0 } else { total_us as f64 / calls as f64 };
        let (rejected, failed) = (stats.rejected.get(), stats.failed.get());
        text.field(
            &format!("cmdstat_{}", row.full_name),
            format_args!(
                "calls={calls},usec={total_us},usec_per_call={mean_us:.2},rejected_calls={rejected},failed_calls={failed}"
            ),
        );
    }
}

/// `# Errorstats`
pub fn errors(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    for (code, count) in shared.observer().errors() {
        text.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// `# Latencystats`
pub fn latencies(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    if !shared.observer().tracking.get() {
        return;
    }
    let percentiles = shared.parameters.latency_percentiles.borrow();
    for (row, stats) in shared.observer().rows() {
        let Some(histogram) = stats.histogram() else { continue };
        let quantile =
            |percent: &f64| format!("p{percent}={:.3}", histogram.percentile_ns(*percent) as f64 / 1000.0);
        let quantiles: Vec<_> = percentiles.iter().map(quantile).collect();
        text.field(&format!("latency_percentiles_usec_{}", row.full_name), quantiles.join(","));
    }
}
