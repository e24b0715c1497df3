//! A real mail server holds the mails.

use std::fmt::Write as _;

use serde_json::Value;

use super::{LIMIT, delivery, on};
use crate::support::damper::Damper;
use crate::support::shop::Shop;
use crate::support::smtp::{ONCALL, PASSWORD, Smtp, USER};
use crate::support::wait_until;

#[tokio::test]
async fn firing_and_resolved_arrive_as_one_thread_by_starttls_and_by_implicit_tls() {
    let shop = Shop::open(&["pay"]).await;
    let smtp = Smtp::start().await;
    let mut dampers = Vec::new();
    for (tls, port) in [("starttls", smtp.starttls), ("implicit", smtp.tls)] {
        let mut damper = on(&shop, "pay", &receiver(tls, port));
        prepare(&damper, &smtp, PASSWORD);
        damper.start().await;
        dampers.push(damper);
    }
    shop.fail("pay", true);
    for damper in &dampers {
        delivery(damper, "status=delivered", "the firing mail", |item| item["event"] == "firing").await;
    }
    shop.fail("pay", false);
    for damper in &mut dampers {
        delivery(damper, "status=delivered", "the resolved mail", |item| item["event"] == "resolved").await;
        damper.all_told(LIMIT).await;
        damper.stop().await;
    }
    let mails = held(&smtp, 4).await;
    for mail in &mails {
        assert!(mail.contains("multipart/alternative"), "{mail}");
        assert!(mail.contains("text/plain") && mail.contains("text/html"), "{mail}");
        assert!(mail.contains("pay/availability") && mail.contains("14.4"), "{mail}");
        assert!(header(mail, "To").contains(ONCALL), "{mail}");
        assert!(header(mail, "Message-ID").starts_with('<'), "{mail}");
        assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    }
    let mut threads: Vec<&str> = mails.iter().map(|mail| header(mail, "References")).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut ids: Vec<&str> = mails.iter().map(|mail| header(mail, "Message-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    // Both saw the same alert at the same moment, or one step apart.
    assert!((1..=2).contains(&threads.len()) && ids.len() >= 2, "{threads:?} {ids:?}");
}

#[tokio::test]
async fn a_mail_for_a_server_that_is_down_is_delivered_once_when_it_is_back() {
    let shop = Shop::open(&["pay"]).await;
    let mut smtp = Smtp::start().await;
    smtp.kill();
    let mut damper = on(&shop, "pay", &receiver("starttls", smtp.starttls));
    prepare(&damper, &smtp, PASSWORD);
    damper.start().await;
    shop.fail("pay", true);
    let waits = |item: &Value| item["attempts"].as_i64() >= Some(2);
    let waiting = delivery(&damper, "status=pending", "two attempts", waits).await;
    let error = waiting["lastError"].as_str().unwrap();
    assert!(error.contains(&format!("smtp://localhost:{}", smtp.starttls)), "{error}");
    smtp.start_again().await;
    delivery(&damper, "status=delivered", "the mail", |item| item["event"] == "firing").await;
    shop.fail("pay", false);
    delivery(&damper, "status=delivered", "the end", |item| item["event"] == "resolved").await;
    damper.stop().await;
    held(&smtp, 2).await;
}

#[tokio::test]
async fn a_wrong_password_is_read_again_until_it_is_right() {
    let shop = Shop::open(&["pay"]).await;
    let smtp = Smtp::start().await;
    let mut damper = on(&shop, "pay", &receiver("starttls", smtp.starttls));
    prepare(&damper, &smtp, "wrong");
    damper.start().await;
    shop.fail("pay", true);
    let tried = |item: &Value| item["event"] == "firing" && item["attempts"].as_i64() >= Some(1);
    let waiting = delivery(&damper, "status=pending", "the mail that waits", tried).await;
    let error = waiting["lastError"].as_str().unwrap();
    assert!(error.contains("did not accept the login") && !error.contains("wrong"), "{error}");
    let id = waiting["id"].as_str().unwrap().to_owned();

    std::fs::write(damper.path("password"), PASSWORD).unwrap();
    delivery(&damper, "status=delivered", "the mail", |item| item["id"] == id.as_str()).await;
    shop.fail("pay", false);
    delivery(&damper, "status=delivered", "the end", |item| item["event"] == "resolved").await;
    damper.stop().await;
    held(&smtp, 2).await;
}

fn receiver(tls: &str, port: u16) -> String {
    let mut text = String::new();
    write!(
        text,
        "receivers:
  - name: people
    email:
      to: [{ONCALL}]
      from: Damper <{USER}>
      smtp: {{host: localhost, port: {port}, tls: {tls}, username: {USER}, passwordFile: password, ca: ca.pem}}
      timeout: 10s
"
    )
    .unwrap();
    text
}

fn prepare(damper: &Damper, smtp: &Smtp, password: &str) {
    std::fs::write(damper.path("password"), password).unwrap();
    std::fs::write(damper.path("ca.pem"), &smtp.certificate).unwrap();
}

/// Waits until the server has put so many mails in their folder, which it does some time after it
/// took them; more are a failure.
async fn held(smtp: &Smtp, count: usize) -> Vec<String> {
    let what = format!("{count} mails");
    let mails = async || Some(smtp.mails()).filter(|mails| mails.len() >= count);
    let mails = wait_until(LIMIT, &what, mails).await;
    assert_eq!(mails.len(), count, "{mails:#?}");
    mails
}

/// A header's first line.
fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let found = mail.lines().find_map(|line| line.strip_prefix(start.as_str()));
    found.unwrap_or_else(|| panic!("no {name} in {mail}"))
}
