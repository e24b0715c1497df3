//! Who is who in a cluster: an authority, the server's certificate, a token and a kubeconfig per role.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

/// `admin` may do everything, each other one what the folder of that name in `deploy/kubernetes` grants.
pub const ROLES: [&str; 4] = ["admin", "observe", "floor", "direct"];

/// File with the authority that clients trust.
pub(super) const AUTHORITY: &str = "ca.pem";

/// The user's name, as RBAC sees it.
pub(super) fn user(role: &str) -> String {
    format!("test-{role}")
}

/// What a role logs in with.
pub(super) fn token(role: &str) -> String {
    format!("token-of-{role}")
}

/// Where [`write`] puts a role's kubeconfig.
pub(super) fn kubeconfig(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.kubeconfig"))
}

/// Writes the files that the servers and their clients are started with.
pub(super) fn write(folder: &Path, url: &str) {
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    put(AUTHORITY, &authority.pem());
    put("server.pem", &params.signed_by(&key, &authority).unwrap().pem());
    put("server.key", &key.serialize_pem());

    let accounts = KeyPair::generate().unwrap();
    put("accounts.key", &accounts.serialize_pem());
    put("accounts.pub", &accounts.public_key_pem());

    let mut tokens = String::new();
    for role in ROLES {
        let groups = if role == "admin" { ",\"system:masters\"" } else { "" };
        writeln!(tokens, "{},{},{role}{groups}", token(role), user(role)).unwrap();
        let text = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters: [{{name: test, cluster: {{server: '{url}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: {role}, user: {{token: {}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: {role}}}}}]\n\
             current-context: test\n",
            folder.join(AUTHORITY).display(),
            token(role)
        );
        std::fs::write(kubeconfig(folder, role), text).unwrap();
    }
    put("tokens.csv", &tokens);
}
