//! The SLOs that are measured: default rules of a 28-day period, as a definition says them.

use std::sync::Arc;

use damper::slo::model::{Sli, Slo};
use damper::slo::time::Step;
use damper::slo::{Context, SourceFile, load};

/// Slices of the default length.
pub const STEP: Step = Step::DEFAULT;

/// The SLO of one service; `matchers` choose its series.
pub fn slo(service: &str, matchers: &str, alerting: &str) -> Arc<Slo> {
    let text = format!(
        "apiVersion: damper.dev/v1\n\
         kind: ServiceLevelObjective\n\
         metadata: {{name: availability, labels: {{team: shop}}}}\n\
         spec:\n  \
           service: {service}\n  \
           objective: 99.9\n  \
           window: 28d\n  \
           sli: {{events: {{bad: 'http_errors_total{{{matchers}}}', total: 'http_requests_total{{{matchers}}}'}}}}\n\
         {alerting}"
    );
    let context = Context::without_settings(STEP);
    let loaded = load(&[SourceFile { path: "bench.yaml".to_owned(), text }], &context);
    let slo = loaded.slos().next().cloned();
    Arc::new(slo.unwrap_or_else(|| panic!("{:?}", loaded.problems().collect::<Vec<_>>())))
}

/// Many SLOs that differ in their service, made from one checked definition because checking is not measured.
pub fn many(count: usize) -> Vec<Arc<Slo>> {
    let template = slo("template", "service=\"template\"", "");
    let one = |i: usize| {
        let mut slo = (*template).clone();
        slo.id.service = format!("service-{i}");
        if let Sli::Counted { bad, total } = &mut slo.sli {
            for term in bad.terms.iter_mut().chain(&mut total.terms) {
                term.atom.selector.matchers[0].value.clone_from(&slo.id.service);
            }
        }
        Arc::new(slo)
    };
    (0..count).map(one).collect()
}
