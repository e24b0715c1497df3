//! Email against a server that follows a script.

use std::sync::{Arc, Mutex};
use tokio::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::*;
use crate::http::Problems;
use crate::notify::testing::{NOW, PATIENCE, firing, refusing};

/// Replies to the commands that begin so; an empty reply is none at all.
type Script = &'static [(&'static str, &'static str)];

struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shared = heard.clone();
        let task = TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that hangs up is what some of these tests are about.
                let _ = serve(stream, script, &shared).await;
            }
        });
        Self { port, heard, task }
    }

    fn heard(&self, start: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

async fn serve(stream: TcpStream, script: Script, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = "GREETING".to_owned();
    loop {
        let usual = match line.split([' ', ':']).next().unwrap() {
            "GREETING" => "220 hello",
            "EHLO" => "250-scripted\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        let reply =
            script.iter().find(|(start, _)| line.starts_with(start)).map_or(usual, |(_, reply)| reply);
        let in_data = line == "DATA" && reply.starts_with("354");
        if reply.is_empty() {
            std::future::pending::<()>().await;
        }
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            line.truncate(line.trim_end().len());
            heard.lock().unwrap().push(line.clone());
            if !in_data || line == "." {
                break;
            }
        }
    }
}

fn email(port: u16, more: &str) -> Email {
    let json = format!(
        r#"{{"to": ["ann@example.org", "bob@example.org"], "from": "Damper <damper@example.org>",
            "smtp": {{"host": "127.0.0.1", "port": {port} {more}}}}}"#
    );
    let settings: EmailSettings = serde_json::from_str(&json).unwrap();
    let mut problems = Problems::default();
    let config = settings.check("mail", &mut problems);
    let mut config = config.unwrap_or_else(|| panic!("{problems:?}"));
    config.timeout = PATIENCE;
    Email::new("mail", &config, "http://damper").unwrap()
}

const PLAIN: &str = r#", "tls": "none""#;

async fn outcome(script: Script) -> (Outcome, Server) {
    outcome_within(PATIENCE, script).await
}

async fn outcome_within(timeout: Duration, script: Script) -> (Outcome, Server) {
    let server = Server::start(script).await;
    let mut email = email(server.port, PLAIN);
    email.config.timeout = timeout;
    let outcome = email.deliver(&firing(), NOW).await;
    (outcome, server)
}

#[tokio::test]
async fn a_mail_reaches_every_recipient() {
    let (outcome, server) = outcome(&[]).await;
    assert_eq!(outcome, Outcome::DELIVERED);
    assert_eq!(server.heard("RCPT TO:<ann@example.org>"), 1);
    assert_eq!(server.heard("RCPT TO:<bob@example.org>"), 1);
    assert_eq!(server.heard("Subject: [FIRING] page checkout/availability"), 1);
    assert_eq!(server.heard("Content-Type: multipart/alternative"), 1);
}

#[tokio::test]
async fn replies_become_outcomes() {
    for (script, reason, retried) in [
        (&[("MAIL", "451 later")] as Script, Reason::ServerError, true),
        (&[("RCPT", "450 greylisted")], Reason::ServerError, true),
        (&[("RCPT", "550 no such user")], Reason::ClientError, false),
        (
            &[("RCPT TO:<ann", "550 no such user"), ("RCPT TO:<bob", "450 greylisted")],
            Reason::ServerError,
            true,
        ),
        (&[(".", "554 spam")], Reason::ClientError, false),
        (&[("GREETING", "421 closing")], Reason::ServerError, true),
        (&[("GREETING", "HTTP/1.1 400 Bad Request")], Reason::Garbage, true),
    ] {
        let (outcome, _server) = outcome(script).await;
        assert_eq!(outcome.failure().map(|f| f.0), Some(reason), "{script:?}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Retry { .. }), retried, "{script:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn one_refused_recipient_does_not_silence_the_others() {
    let (outcome, server) = outcome(&[("RCPT TO:<ann", "550 no such user")]).await;
    let Outcome::Delivered { note: Some(note) } = outcome else { panic!("{outcome:?}") };
    assert!(note.contains("ann@example.org") && note.contains("no such user"), "{note}");
    assert_eq!(server.heard("."), 1);
}

/// Grey-listing answers the first attempt so.
#[tokio::test]
async fn who_is_put_off_is_tried_again_and_nobody_gets_it_twice() {
    let first = Server::start(&[("RCPT TO:<bob", "450 greylisted")]).await;
    let mut email = email(first.port, PLAIN);
    let outcome = email.deliver(&firing(), NOW).await;
    let Outcome::Retry { reason: Reason::ServerError, error, .. } = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("bob@example.org") && !error.contains("ann@"), "{error}");
    assert_eq!(first.heard("."), 1, "sent to the one who takes it");

    let second = Server::start(&[]).await;
    email.config.port = second.port;
    assert_eq!(email.deliver(&firing(), NOW).await, Outcome::DELIVERED);
    assert_eq!((second.heard("RCPT TO:<ann"), second.heard("RCPT TO:<bob")), (0, 1));
    // Asked for again by hand, it is for all.
    assert_eq!(email.deliver(&firing(), NOW).await, Outcome::DELIVERED);
    assert_eq!((second.heard("RCPT TO:<ann"), second.heard("RCPT TO:<bob")), (1, 2));
}

#[tokio::test]
async fn who_is_refused_at_last_does_not_take_the_mail_back_from_the_others() {
    let first = Server::start(&[("RCPT TO:<bob", "450 greylisted")]).await;
    let mut email = email(first.port, PLAIN);
    assert!(matches!(email.deliver(&firing(), NOW).await, Outcome::Retry { .. }));
    let second = Server::start(&[("RCPT TO:<bob", "550 no such user")]).await;
    email.config.port = second.port;
    let outcome = email.deliver(&firing(), NOW).await;
    let Outcome::Delivered { note: Some(note) } = outcome else { panic!("{outcome:?}") };
    assert!(note.contains("bob@example.org") && !note.contains("ann@"), "{note}");
    // Asked for again by hand, it is for all.
    email.deliver(&firing(), NOW).await;
    assert_eq!((second.heard("RCPT TO:<ann"), second.heard("RCPT TO:<bob")), (1, 2));
}

#[tokio::test]
async fn no_server_holds_a_conversation_beyond_its_timeout() {
    let timeout = Duration::from_secs(1);
    for silent in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let began = Instant::now();
        let script: Script = Box::leak(Box::new([(silent, "")]));
        let (outcome, _server) = outcome_within(timeout, script).await;
        assert!(matches!(outcome, Outcome::Retry { reason: Reason::Timeout, .. }), "{silent}: {outcome:?}");
        assert!(began.elapsed() < timeout * 3, "{silent}");
    }
    // It has the mail; that it says no good-bye takes nothing back.
    let (outcome, _server) = outcome_within(timeout, &[("QUIT", "")]).await;
    assert_eq!(outcome, Outcome::DELIVERED);
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = Server::start(&[]).await;
    let outcome = email(server.port, "").deliver(&firing(), NOW).await;
    assert!(matches!(&outcome, Outcome::Retry { reason: Reason::Tls, .. }), "{outcome:?}");
    assert_eq!(server.heard("MAIL") + server.heard("AUTH"), 0);
}

#[tokio::test]
async fn a_refused_login_is_told_without_the_password() {
    let server = Server::start(&[("AUTH", "535 5.7.8 no")]).await;
    let login = r#", "tls": "none", "username": "damper", "password": "hunter2""#;
    let outcome = email(server.port, login).deliver(&firing(), NOW).await;
    let Outcome::Permanent { reason: Reason::AuthError, error } = outcome else { panic!("{outcome:?}") };
    assert!(!error.contains("hunter2"), "{error}");
    assert_eq!(server.heard("MAIL"), 0);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let port = refusing().await.rsplit(':').next().unwrap().parse().unwrap();
    let outcome = email(port, PLAIN).deliver(&firing(), NOW).await;
    assert!(matches!(outcome, Outcome::Retry { reason: Reason::Unreachable, .. }), "{outcome:?}");
}
