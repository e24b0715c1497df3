//! `damper ledger exclude` and `include`.

use std::io::{self, Write as _};

use reqwest::Method;
use serde_json::json;

use super::{ExcludeArgs, IncludeArgs, path};
use crate::api::ExclusionAsked;
use crate::cli::CommandError;
use crate::cli::check::Output;
use crate::cli::moment::Moment;
use crate::cli::remote::{ask, read, segment};
use crate::cli::table::plain;
use crate::slo::time::Ts;

/// Takes time out.
pub(super) async fn exclude(args: &ExcludeArgs) -> Result<u8, CommandError> {
    let moment = Moment::now();
    let (from, to) = (moment.read("--from", &args.from)?, moment.read("--to", &args.to)?);
    let body = json!({"from": from.0, "to": to.0, "reason": args.reason, "by": args.by.by});
    let path = format!("{}/exclusions", path(&args.slo)?);
    let answer = ask(&args.remote, Method::POST, &path, Some(&body)).await?;
    let text = match args.remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => excluded(&read(&answer)?, (from, to), &moment),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

/// Puts time back.
pub(super) async fn include(args: &IncludeArgs) -> Result<u8, CommandError> {
    let path = format!("api/v1/exclusions/{}?by={}", args.id, segment(&args.by.by)?);
    let answer = ask(&args.remote, Method::DELETE, &path, None).await?;
    let text = match args.remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => {
            let asked: ExclusionAsked = read(&answer)?;
            let span = span(&asked, &Moment::now());
            format!("number {} is put back: {span} counts again for {}\n", asked.id, plain(&asked.slo))
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn excluded(asked: &ExclusionAsked, wanted: (Ts, Ts), moment: &Moment) -> String {
    let slo = plain(&asked.slo);
    let mut text = format!("number {}: {} is taken out of {slo}\n", asked.id, span(asked, moment));
    if (Ts(asked.from), Ts(asked.to)) != wanted {
        text.push_str("it was rounded to what the ledger can tell apart at that age\n");
    }
    text.push_str(&format!(
        "it counts within seconds; `damper ledger show {slo}` shows it, `damper ledger include {}` puts it back\n",
        asked.id
    ));
    text
}

fn span(asked: &ExclusionAsked, moment: &Moment) -> String {
    format!("{} to {}", moment.time(Ts(asked.from)), moment.time(Ts(asked.to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::moment::tests::AT;

    #[test]
    fn what_was_rounded_is_told() {
        let now = AT.now.0;
        let asked = ExclusionAsked { id: 7, slo: "shop/web".into(), from: now - 900, to: now - 300 };
        let exact = excluded(&asked, (Ts(now - 900), Ts(now - 300)), &AT);
        assert_eq!(
            exact,
            "number 7: 18:05:00 UTC to 18:15:00 UTC is taken out of shop/web\n\
             it counts within seconds; `damper ledger show shop/web` shows it, `damper ledger include 7` puts it back\n"
        );
        assert!(excluded(&asked, (Ts(now - 890), Ts(now - 300)), &AT).contains("was rounded"));
    }
}
