//! The commands of a cluster's three servers; paths are in its folder.

use std::process::Command;

use super::audit;
use crate::support::program::Program;

/// What `tests/setup.sh` calls it.
const SERVER: &str = "kubernetes";

/// The controllers that move and count replicas, and those that clean up.
pub(super) const CONTROLLERS: [&str; 8] = [
    "deployment",
    "replicaset",
    "statefulset",
    "horizontalpodautoscaling",
    "disruption",
    "resourcequota",
    "namespace",
    "garbagecollector",
];

/// The store. Alone in its cluster it need not wait for others' votes: the times make it start at once.
pub(super) fn etcd(clients: &str, peers: &str) -> Command {
    let mut command = Program::find(SERVER, "usr/bin/etcd").command();
    command.args([
        "--name=test",
        "--data-dir=etcd",
        "--heartbeat-interval=10",
        "--election-timeout=100",
        &format!("--listen-client-urls={clients}"),
        &format!("--advertise-client-urls={clients}"),
        &format!("--listen-peer-urls={peers}"),
        &format!("--initial-advertise-peer-urls={peers}"),
        &format!("--initial-cluster=test={peers}"),
    ]);
    if cfg!(target_arch = "aarch64") {
        command.env("ETCD_UNSUPPORTED_ARCH", "arm64");
    }
    command
}

/// The API. Pods are admitted without a service account: nothing runs in them.
pub(super) fn api(store: &str, port: u16) -> Command {
    let mut command = Program::find(SERVER, "usr/bin/kube-apiserver").command();
    command.args([
        &format!("--etcd-servers={store}"),
        &format!("--secure-port={port}"),
        "--insecure-port=0",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        // Endpoints may not lie on the loopback, so it would complain about its own for ever.
        "--endpoint-reconciler-type=none",
        "--cert-dir=certificates",
        "--tls-cert-file=server.pem",
        "--tls-private-key-file=server.key",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=accounts.pub",
        "--service-account-signing-key-file=accounts.key",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
        &format!("--audit-policy-file={}", audit::POLICY),
        &format!("--audit-log-path={}", audit::LOG),
    ]);
    command
}

/// The controllers. HPAs look every second, and forget higher wishes after two instead of five minutes.
pub(super) fn controllers() -> Command {
    let mut command = Program::find(SERVER, "usr/bin/kube-controller-manager").command();
    command.args([
        "--kubeconfig=admin.kubeconfig",
        "--leader-elect=false",
        "--port=0",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--horizontal-pod-autoscaler-downscale-stabilization=2s",
        &format!("--controllers={}", CONTROLLERS.join(",")),
    ]);
    command
}
