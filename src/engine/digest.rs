//! Names made from content: stable over releases, machines and restarts.

use aws_lc_rs::digest;

/// SHA-256 over parts, each ended by a zero byte so that no two lists of parts are one text.
pub struct Digest(digest::Digest);

impl Digest {
    /// The digest of the parts in order.
    pub fn of(parts: &[&str]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        Self(context.finish())
    }

    /// The first eight bytes as a number.
    pub fn short(&self) -> u64 {
        self.0.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// The first eight bytes as 16 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256_and_keeps_parts_apart() {
        // printf 'a\0' | sha256sum
        assert_eq!(Digest::of(&["a"]).hex(), "ffe9aaeaa2a2d504");
        assert_ne!(Digest::of(&["a", "b"]).hex(), Digest::of(&["ab"]).hex());
    }
}
