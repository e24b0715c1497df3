//! Where the store is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress(String);

impl StoreAddress {
    /// What the store is opened with. It may hold a password: do not keep or print it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a file of this machine.
    pub fn is_file(&self) -> bool {
        self.0.starts_with("sqlite:")
    }
}

impl Default for StoreAddress {
    fn default() -> Self {
        Self("sqlite:damper.db".into())
    }
}

impl FromStr for StoreAddress {
    type Err = &'static str;

    /// Never repeats the text: it may hold a password.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path.strip_prefix("//").unwrap_or(path) {
                "" => Err("lacks the file: write sqlite:damper.db"),
                path if path.contains("memory:") => {
                    Err("cannot be in memory: alerts must survive a restart; write sqlite:damper.db")
                }
                path if path.contains('?') => Err("takes no parameters: write sqlite:damper.db"),
                _ => Ok(Self(text.to_owned())),
            };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("must be sqlite:PATH or postgres://USER@HOST/DATABASE");
        }
        Url::parse(text).map_err(|_| "is not a URL: write postgres://USER@HOST:5432/DATABASE")?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("sqlite:") {
            return f.write_str(&self.0);
        }
        // Parameters may hold a password too.
        match Url::parse(&self.0) {
            Ok(url) => {
                write!(f, "{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
            Err(_) => f.write_str("postgres"),
        }
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for text in ["postgres://u:hunter2@db:5432/damper", "postgresql://db/damper?password=hunter2"] {
            let address: StoreAddress = text.parse().unwrap();
            let shown = format!("{address} {address:?}");
            assert!(!shown.contains("hunter2") && shown.contains("db/damper"), "{shown}");
            assert_eq!(address.expose(), text);
        }
    }

    #[test]
    fn what_is_no_store_is_refused_without_repeating_it() {
        for text in
            ["hunter2", "mysql://u:hunter2@db", "postgres://u:hunter2@[", "sqlite:", "sqlite::memory:", ""]
        {
            let refused = text.parse::<StoreAddress>().unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        for text in ["sqlite:damper.db", "sqlite:///var/lib/damper/damper.db"] {
            assert_eq!(text.parse::<StoreAddress>().unwrap().to_string(), text);
        }
    }
}
