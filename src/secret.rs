//! Secrets: written inline, or kept in a file or an environment variable. They are read at each
//! use, so that a rotated one takes effect at once, and never printed.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Longest secret read from a file, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A secret, or where it is kept. In settings either a text, or `{file: PATH}` or `{env: NAME}`.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Written in the settings.
    Text(String),
    /// Kept in a file; a newline at its end does not count.
    File(PathBuf),
    /// Kept in an environment variable.
    Env(String),
}

impl Secret {
    /// The secret's text as it is now; never empty unless written so. For immediate use: do not keep or print it.
    pub async fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Env(name) => std::env::var(name)
                .ok()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| self.unreadable("it is not set, or not text")),
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_capped(&path, MAX_BYTES)).await;
                let bytes = read.map_err(|e| self.unreadable(e))?.map_err(|e| self.unreadable(e))?;
                let text = String::from_utf8(bytes).map_err(|_| self.unreadable("it is not text"))?;
                match text.trim_end_matches(['\r', '\n']) {
                    "" => Err(self.unreadable("it is empty")),
                    secret => Ok(secret.to_owned()),
                }
            }
        }
    }

    fn unreadable(&self, why: impl fmt::Display) -> SecretError {
        let place = match self {
            Self::Text(_) => "the settings".to_owned(),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Env(name) => format!("the environment variable {name}"),
        };
        SecretError { place, why: why.to_string() }
    }
}

/// A secret that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot read a secret from {place}: {why}")]
pub struct SecretError {
    /// Where it should be.
    pub place: String,
    /// Why it cannot be read.
    pub why: String,
}

/// A regular file's content, refused beyond `limit` bytes. Blocks; pipes and devices, which could
/// block for ever or never end, are refused.
pub fn read_capped(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    // Asked before opening: opening a pipe already blocks.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(most).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(std::io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(content)
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "<secret in file {}>", path.display()),
            Self::Env(name) => write!(f, "<secret in environment variable {name}>"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Redacted: settings are shown to people.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

/// Serde's own message for a wrong type quotes the value, so numbers and booleans are answered here.
fn unquoted<E: de::Error>() -> E {
    E::custom("a secret must be a text: put it in quotes")
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, {file: PATH} or {env: NAME}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(unquoted())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(unquoted())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(unquoted())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(unquoted())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let form = || de::Error::custom("a secret is a text, {file: PATH} or {env: NAME}");
        let secret = match map.next_key::<String>()?.as_deref() {
            Some("file") => Secret::File(map.next_value()?),
            Some("env") => Secret::Env(map.next_value()?),
            _ => return Err(form()),
        };
        match map.next_key::<String>()? {
            None => Ok(secret),
            Some(_) => Err(form()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_without_its_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let secret = Secret::File(path.clone());
        assert!(secret.read().await.unwrap_err().to_string().contains("token"));
        for text in ["one", "two"] {
            std::fs::write(&path, format!("{text}\n")).unwrap();
            assert_eq!(secret.read().await.unwrap(), text);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(secret.read().await.unwrap_err().why.contains("empty"));
        std::fs::write(&path, "x".repeat(MAX_BYTES + 1)).unwrap();
        assert!(secret.read().await.unwrap_err().why.contains("longer"));
        assert!(Secret::File("/dev/zero".into()).read().await.unwrap_err().why.contains("regular"));
    }

    #[tokio::test]
    async fn an_environment_variable_is_a_place_too() {
        assert_eq!(Secret::Env("PATH".into()).read().await.unwrap(), std::env::var("PATH").unwrap());
        let missing = Secret::Env("DAMPER_NO_SUCH_VARIABLE".into()).read().await.unwrap_err();
        assert!(missing.to_string().contains("DAMPER_NO_SUCH_VARIABLE"), "{missing}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::Text("hunter2".into());
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        for wrong in ["4711", "-4711", "4711.5", "[4711]", "{\"fil\":\"4711\"}"] {
            let error = serde_json::from_str::<Secret>(wrong).unwrap_err().to_string();
            assert!(!error.contains("4711"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_written_as_a_text_or_a_place() {
        let read = |text| serde_json::from_str::<Secret>(text).unwrap();
        assert_eq!(read(r#""007""#), Secret::Text("007".into()));
        assert_eq!(read(r#"{"file":"/run/token"}"#), Secret::File("/run/token".into()));
        assert_eq!(read(r#"{"env":"TOKEN"}"#), Secret::Env("TOKEN".into()));
        assert!(serde_json::from_str::<Secret>(r#"{"env":"A","file":"b"}"#).is_err());
    }
}
