//! The fixtures themselves: what the other tests stand on.

use std::time::Duration;

use axum::http::StatusCode;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::json;

use crate::support::alertmanager::{self, Alertmanager};
use crate::support::exporter::Exporter;
use crate::support::native::Native;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::remote_write::STALE;
use crate::support::smtp::{ONCALL, PASSWORD, Smtp, USER};
use crate::support::tsdb::Series;
use crate::support::{now_ms, wait_until};

const SECOND: Duration = Duration::from_secs(1);
type Mailer = AsyncSmtpTransport<Tokio1Executor>;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn prometheus_scrapes_counters_histograms_births_and_deaths() {
    for version in Version::ALL {
        let exporter = Exporter::start();
        let target = exporter.target("/shop");
        target.change(|m| {
            m.add("requests_total", &[("code", "200")], 10.0);
            m.observe("latency_seconds", &[], &[0.1, 0.3], 0.2, 4);
            m.observe("latency_seconds", &[], &[0.1, 0.3], 5.0, 1);
        });
        let prometheus =
            Prometheus::of(version).scrape("shop", &[exporter.address()], "/shop", SECOND).start().await;
        target.scraped(2, LIMIT).await;
        target.change(|m| m.add("requests_total", &[("code", "500")], 3.0));
        assert_eq!(eventually(&prometheus, r#"requests_total{code="500"}"#).await, 3.0, "{version:?}");
        assert_eq!(eventually(&prometheus, r#"latency_seconds_bucket{le="0.3"}"#).await, 4.0);
        assert_eq!(eventually(&prometheus, "latency_seconds_count").await, 5.0);
        assert!(eventually(&prometheus, "process_start_time_seconds").await > 1.7e9);
        assert_eq!(eventually(&prometheus, r#"up{job="shop"}"#).await, 1.0);

        target.change(|m| m.remove("requests_total", &[("code", "500")]));
        let gone = async || {
            prometheus.value(r#"requests_total{code="500"}"#, now_ms()).await.is_none().then_some(())
        };
        wait_until(LIMIT, "a staleness marker", gone).await;
        target.fail(Some(503));
        let down = async || (prometheus.value(r#"up{job="shop"}"#, now_ms()).await? == 0.0).then_some(());
        wait_until(LIMIT, "the target to be down", down).await;
    }
}

#[tokio::test]
async fn authored_data_is_there_with_every_sample() {
    let now = now_ms() / 60_000 * 60_000;
    let times = || (0..5000).map(move |i| now - 3_600_000 - (4999 - i) * 60_000);
    let series = [
        Series::new("requests_total", &[("pod", "a")]).with(times().zip((0..5000).map(f64::from))),
        Series::new("requests_total", &[("pod", "b")]).with([(now - 7_200_000, 1.5), (now - 7_140_001, 2.5)]),
    ];
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&series).start().await;
        let found = prometheus.samples("requests_total", 0, now).await;
        let of = |pod: &str| found.iter().find(|one| one.labels["pod"] == pod).unwrap().samples.clone();
        assert_eq!(of("a"), series[0].samples, "{version:?}");
        assert_eq!(of("b"), series[1].samples);
        let range =
            prometheus.range(r#"requests_total{pod="a"}"#, now - 3_660_000, now - 3_600_000, 60_000).await;
        assert_eq!(range[0].samples, [(now - 3_660_000, 4998.0), (now - 3_600_000, 4999.0)]);
    }
}

#[tokio::test]
async fn remote_write_brings_samples_staleness_and_native_histograms() {
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).receives_remote_write().native_histograms().start().await;
        let now = now_ms();
        let series = Series::new("jobs_total", &[("queue", "a")]);
        prometheus.write(&[series.clone().with([(now - 2000, 7.0), (now - 1000, 8.0), (now, STALE)])]).await;
        assert_eq!(prometheus.value("jobs_total", now - 1).await, Some(8.0), "{version:?}");
        assert_eq!(prometheus.value("jobs_total", now).await, None);

        let mut native = Native::new(3);
        native.observe(0.0, 1);
        native.observe(0.2, 30);
        native.observe(4.0, 9);
        prometheus.write_native(&Series::new("latency", &[]), &[(now, native)]).await;
        assert_eq!(prometheus.value("histogram_count(latency)", now).await, Some(40.0));
        assert_eq!(prometheus.value("histogram_fraction(1, +Inf, latency) * 40", now).await, Some(9.0));
    }
}

#[tokio::test]
async fn native_histograms_are_scraped_as_protobuf() {
    for version in Version::ALL {
        let exporter = Exporter::start();
        let target = exporter.target("/metrics");
        target.change(|m| {
            m.observe_native("latency_seconds", &[("route", "/")], 3, 0.05, 90);
            m.observe_native("latency_seconds", &[("route", "/")], 3, 2.0, 10);
            m.observe("size_bytes", &[], &[10.0, 1000.0], 100.0, 6);
            m.add("requests_total", &[], 100.0);
            m.gauge("temperature", &[], -3.5);
        });
        let builder = Prometheus::of(version).native_histograms();
        let prometheus = builder.scrape("shop", &[exporter.address()], "/metrics", SECOND).start().await;
        assert_eq!(eventually(&prometheus, "histogram_count(latency_seconds)").await, 100.0, "{version:?}");
        let slow = eventually(&prometheus, "histogram_fraction(1, +Inf, latency_seconds)").await;
        assert!((slow - 0.1).abs() < 1e-9, "{slow}");
        assert_eq!(eventually(&prometheus, "requests_total").await, 100.0);
        assert_eq!(eventually(&prometheus, "temperature").await, -3.5);
        assert_eq!(
            eventually(&prometheus, r#"size_bytes_bucket{le="1000.0"} or size_bytes_bucket{le="1000"}"#)
                .await,
            6.0
        );
    }
}

#[tokio::test]
async fn a_killed_prometheus_comes_back_with_its_port_and_data() {
    for version in Version::ALL {
        let mut prometheus = Prometheus::of(version).receives_remote_write().start().await;
        let now = now_ms();
        prometheus.write(&[Series::new("kept", &[]).with([(now, 1.0)])]).await;
        let url = prometheus.url();
        prometheus.kill();
        assert!(reqwest::get(&url).await.is_err(), "still there");
        prometheus.start_again().await;
        assert_eq!(prometheus.value("kept", now).await, Some(1.0), "{version:?}");
        assert!(prometheus.cpu_seconds() > 0.0);
        assert_eq!(prometheus.samples_read().await.is_some(), version == Version::New);
        assert!(prometheus.own_metric("prometheus_tsdb_head_series").await.unwrap() >= 1.0);
        prometheus.stop().await;
        assert!(reqwest::get(&url).await.is_err(), "still there");
    }
}

#[tokio::test]
async fn alertmanager_takes_an_alert_and_tells_its_receiver() {
    for version in alertmanager::Version::ALL {
        let receiver = Receiver::start();
        let alertmanager = Alertmanager::start(version, Some(&receiver.url())).await;
        let body =
            json!([{"labels": {"alertname": "Burn", "slo": "a/b"}, "annotations": {"summary": "hot"}}]);
        let url = format!("{}/api/v2/alerts", alertmanager.url());
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{version:?}");
        assert_eq!(alertmanager.alerts().await[0]["labels"]["slo"], "a/b");
        let told = receiver.wait_for(LIMIT, "its webhook", |_| true).await.json();
        assert_eq!(told["version"], "4");
        assert_eq!(told["alerts"][0]["labels"]["alertname"], "Burn");
    }
}

#[tokio::test]
async fn mail_arrives_by_starttls_and_by_implicit_tls() {
    let smtp = Smtp::start().await;
    let trust = Certificate::from_pem(smtp.certificate.as_bytes()).unwrap();
    let tls = TlsParameters::builder("localhost".to_owned()).add_root_certificate(trust).build().unwrap();
    let login = Credentials::new(USER.to_owned(), PASSWORD.to_owned());
    for (port, tls, login, subject) in [
        (smtp.starttls, Tls::Required(tls.clone()), Some(login.clone()), "by starttls"),
        (smtp.tls, Tls::Wrapper(tls.clone()), Some(login), "by implicit tls"),
        (smtp.plain, Tls::Required(tls), None, "between servers"),
    ] {
        let mut transport = Mailer::builder_dangerous("localhost").port(port).tls(tls);
        if let Some(login) = login {
            transport = transport.credentials(login);
        }
        let transport = transport.build();
        let mail = |to: &str| {
            let message = Message::builder().from(USER.parse().unwrap()).to(to.parse().unwrap());
            message.subject(subject).body("the budget burns".to_owned()).unwrap()
        };
        transport.send(mail(ONCALL)).await.unwrap();
        let mail_there = smtp.wait_for(LIMIT, subject).await;
        assert!(mail_there.contains("the budget burns"), "{mail_there}");
        let refused = transport.send(mail("nobody@localhost")).await.unwrap_err();
        assert!(refused.is_permanent(), "{refused}");
    }
}

#[tokio::test]
async fn mail_without_the_right_password_is_refused() {
    let mut smtp = Smtp::start().await;
    let trust = Certificate::from_pem(smtp.certificate.as_bytes()).unwrap();
    let tls = TlsParameters::builder("localhost".to_owned()).add_root_certificate(trust).build().unwrap();
    let login = Credentials::new(USER.to_owned(), "wrong".to_owned());
    let transport = Mailer::builder_dangerous("localhost");
    let transport: Mailer = transport.port(smtp.starttls).tls(Tls::Required(tls)).credentials(login).build();
    assert!(transport.test_connection().await.is_err(), "the password is wrong");
    smtp.kill();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", smtp.starttls)).await.is_err());
}

#[tokio::test]
async fn the_receiver_misbehaves_on_command() {
    let mut receiver = Receiver::start();
    let client = reqwest::Client::new();
    let request = |url: String| client.post(url).body("{}");
    let send = async |url: String| request(url).timeout(LIMIT).send().await;
    assert_eq!(send(receiver.url()).await.unwrap().status(), StatusCode::OK);
    receiver.behave(Behaviour::Fail(429, Some(7)));
    let answer = send(receiver.url()).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["Retry-After"]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
    receiver.behave(Behaviour::Hang);
    assert!(request(receiver.url()).timeout(SECOND).send().await.unwrap_err().is_timeout());
    wait_until(LIMIT, "the request that hangs", async || (receiver.requests().len() == 3).then_some(()))
        .await;
    receiver.behave(Behaviour::Refuse);
    // The client's kept-alive connection is of no use either.
    assert!(send(receiver.url()).await.unwrap_err().is_connect());
    receiver.behave(Behaviour::Accept);
    assert_eq!(send(receiver.url()).await.unwrap().status(), StatusCode::OK);
    assert_eq!((receiver.requests().len(), receiver.accepted().len()), (4, 2));
}

/// The value of a query as soon as it has one.
async fn eventually(prometheus: &Prometheus, query: &str) -> f64 {
    wait_until(LIMIT, query, async || prometheus.value(query, now_ms()).await).await
}
