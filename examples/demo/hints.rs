//! For those who stay: what to try.

use super::cast::{Cast, built};
use super::platform::Platform;
use super::{QUIET, Result, SALE};

/// Commands, and what each is for.
pub(crate) fn what_to_try(cast: &Cast) -> Result<String> {
    let Cast { damper, prometheus, .. } = cast;
    let (customers, folder) = (cast.customers.address(), cast.folder.path().display());
    let program = built("damper")?;
    let program = program.strip_prefix(std::env::current_dir()?).unwrap_or(&program).display();
    let api = format!("{damper}/api/v1");
    let mut all = vec![
        (format!("curl -X POST 'http://{customers}/customers?rate={SALE}'"), "a sale"),
        (format!("curl -X POST 'http://{customers}/customers?rate={QUIET}'"), "the end of the sale"),
        (format!("curl -X POST 'http://{customers}/errors?ratio=0.2'"), "a fault; ratio=0 ends it"),
        (format!("{program} scale status --url {damper}"), "where every policy stands, and why"),
        (format!("{program} explain scale shop --url {damper}"), "what it read, and what would change it"),
        (format!("{program} scale pause shop --url {damper}"), "leave the shop alone; resume goes on"),
        (format!("{program} scale stop --url {damper}"), "scale nothing; start goes on"),
        (format!("curl {api}/scale/shop"), "all of it as JSON, with its history"),
        (format!("curl {api}/slos"), "burn rates and budgets"),
        (format!("curl {api}/alerts"), "what fires"),
        (format!("$EDITOR {folder}/slos/policy.yaml"), "an edit is live within seconds"),
        (prometheus.clone(), "Prometheus, in a browser"),
    ];
    if let Platform::Kubernetes(cluster) = &cast.platform {
        let login = cluster.admin();
        let command = format!("kubectl --kubeconfig {} -n shop get deployments,pods,events", login.display());
        all.push((command, "the cluster"));
    }
    let mut text = String::from("\nIt all stays up until Ctrl-C. To try, in another terminal:\n\n");
    for (command, what) in all {
        text += &format!("  # {what}\n  {command}\n");
    }
    Ok(text)
}
