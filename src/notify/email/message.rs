//! The mail itself: subject, two bodies, and the headers that thread and mark it.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use crate::engine::notice::Notice;
use crate::notify::fingerprint::short_digest;
use crate::notify::render::Rendered;
use crate::slo::time::Ts;

/// The last second of the year 9999: later dates cannot be written.
const LAST: i64 = 253_402_300_799;

/// The mail for a notice.
///
/// Its Message-ID comes from the notice, so that servers and clients recognise a repeated attempt.
/// All mails of an incident refer to one message that never existed, which makes them one thread
/// whichever arrives first.
pub(super) fn message(
    notice: &Notice,
    mail: Rendered,
    from: &Mailbox,
    to: &[Mailbox],
    now: Ts,
) -> Result<Message, lettre::error::Error> {
    let domain = from.email.domain();
    let thread = format!("<{}.incident@{domain}>", short_digest(&notice.incident));
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(mail.subject)
        .date(date(now))
        .message_id(Some(format!("<{}@{domain}>", short_digest(&notice.id))))
        .in_reply_to(thread.clone())
        .references(thread)
        .header(AutoSubmitted);
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    match mail.html {
        Some(html) => {
            // Not random, so that a repeated attempt is the same message to the byte.
            let parts = MultiPart::alternative().boundary(format!("damper-{}", short_digest(&notice.id)));
            builder
                .multipart(parts.singlepart(SinglePart::plain(mail.text)).singlepart(SinglePart::html(html)))
        }
        None => builder.singlepart(SinglePart::plain(mail.text)),
    }
}

fn date(now: Ts) -> SystemTime {
    let secs = u64::try_from(now.0.clamp(0, LAST)).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no out-of-office answers, please.
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::render::{Renderer, Sources};
    use crate::notify::testing::{NOW, firing, resolved};

    fn headers(notice: &Notice) -> String {
        let mail = Renderer::new(Sources::BUILT_IN).unwrap().render(notice, "");
        let from = "Damper <damper@example.org>".parse().unwrap();
        let to = ["Ann <ann@example.org>".parse().unwrap(), "bob@example.org".parse().unwrap()];
        let text = String::from_utf8(message(notice, mail, &from, &to, NOW).unwrap().formatted()).unwrap();
        text.split_once("\r\n\r\n").unwrap().0.to_owned()
    }

    fn value<'a>(headers: &'a str, name: &str) -> &'a str {
        headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
    }

    #[test]
    fn firing_and_resolved_are_one_thread_of_two_messages() {
        let (first, second) = (headers(&firing()), headers(&resolved()));
        for name in ["In-Reply-To", "References"] {
            assert_eq!(value(&first, name), value(&second, name));
        }
        assert_ne!(value(&first, "Message-ID"), value(&second, "Message-ID"));
        assert_eq!(headers(&firing()), first.clone(), "an attempt repeated is the same message");
        assert_eq!(value(&first, "Auto-Submitted"), "auto-generated");
        assert_eq!(value(&first, "Date"), "Thu, 28 May 2026 20:26:40 +0000");
        assert!(first.contains("To: Ann <ann@example.org>, bob@example.org"), "{first}");
    }

    #[test]
    fn nothing_in_a_notice_can_add_a_header() {
        let mut notice = firing();
        let evil = "x\r\nBcc: evil@example.org\r\n\r\nbody\nBcc: evil@example.org";
        notice.id = evil.into();
        notice.incident = evil.into();
        notice.receiver = evil.into();
        let evidence = notice.alert.evidence.as_mut().unwrap();
        evidence.slo = evil.into();
        evidence.group.insert("route".into(), evil.into());
        let headers = headers(&notice);
        let names = |h: &str| -> Vec<String> {
            h.split("\r\n")
                .filter(|l| !l.starts_with([' ', '\t']))
                .map(|l| l.split(':').next().unwrap().into())
                .collect()
        };
        assert_eq!(names(&headers), names(&super::tests::headers(&firing())), "{headers}");
        assert!(!headers.to_lowercase().contains("\nbcc"), "{headers}");
    }
}
